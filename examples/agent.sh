#!/usr/bin/env sh
# The live prompt of an agent in a file, fetched again only when it has changed. Prints the status: 200 or 304.
set -eu
registry=${VERBATIM_URL:-http://127.0.0.1:3000}
# begin
curl -sS --fail -o backend_dev.json --etag-save backend_dev.tag --etag-compare backend_dev.tag \
  -w '%{http_code}\n' "$registry/api/v1/prompts/backend_dev/active"
# end
