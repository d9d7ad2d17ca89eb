"""An agent in Python, with nothing but the standard library: the live prompt, sent again only when it has changed."""

import json
import os
import sys
import urllib.request

# begin
class LivePrompt:
    def __init__(self, agent_type, registry="http://127.0.0.1:3000"):
        self.url = f"{registry}/api/v1/prompts/{agent_type}/active"
        self.tag, self.prompt = None, None

    def load(self):
        request = urllib.request.Request(self.url, headers={"If-None-Match": self.tag} if self.tag else {})
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                self.tag, self.prompt = answer.headers["ETag"], json.load(answer)
        except OSError as error:  # of the network, a time-out, or an answer that is an error
            # 304: it is still the same. Away: what was live last is better than nothing.
            is_known = getattr(error, "code", 503) in (304, 502, 503, 504)
            if self.prompt is None or not is_known:
                raise
        return self.prompt
# end


if __name__ == "__main__":
    # For each line that comes in, the version that is live.
    live = LivePrompt(sys.argv[1], os.environ.get("VERBATIM_URL", "http://127.0.0.1:3000"))
    for _ in sys.stdin:
        print(live.load()["version"], flush=True)
