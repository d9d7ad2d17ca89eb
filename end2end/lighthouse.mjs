// Scores pages of a running server with Lighthouse and fails when one is below a limit: node lighthouse.mjs [path…]
// VERBATIM_URL names the server, CHROMIUM the browser. scripts/with-server gives both.
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const LIMITS = { performance: 95, accessibility: 100, "best-practices": 95 };
const PATHS = ["/", "/agents/backend_dev", "/agents/backend_dev/compare?base=1.0.0&head=1.1.0"];

const server = process.env.VERBATIM_URL ?? "http://127.0.0.1:3000";
const given = process.argv.slice(2);
const paths = given.length > 0 ? given : PATHS;

const browser = await launch({
  chromePath: process.env.CHROMIUM,
  logLevel: "silent",
  chromeFlags: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** Prints the scores of a page and what lowers those that are below their limit; false if one is. */
async function score(path) {
  const options = { port: browser.port, logLevel: "silent", onlyCategories: Object.keys(LIMITS) };
  const { lhr } = await lighthouse(new URL(path, server).href, options, desktopConfig);
  // A page that answers with an error has no scores.
  if (lhr.runtimeError) {
    console.log(`${path}  could not be scored: ${lhr.runtimeError.message}`);
    return false;
  }
  // Rounded down, as a hundred must mean that nothing failed.
  const scores = Object.values(lhr.categories).map(({ id, score, auditRefs }) => {
    return { id, auditRefs, points: Math.floor(score * 100 + 1e-9) };
  });
  console.log(`${path}  ${scores.map(({ id, points }) => `${id} ${points} (limit ${LIMITS[id]})`).join("  ")}`);
  const low = scores.filter(({ id, points }) => points < LIMITS[id]);
  for (const { id, auditRefs } of low) {
    for (const audit of auditRefs.map((ref) => lhr.audits[ref.id])) {
      // No score means that an audit does not apply or only informs.
      if (audit.score === null || audit.score === 1 || audit.scoreDisplayMode === "informative") continue;
      console.log(`  ${id}: ${audit.id}: ${audit.title}${audit.displayValue ? ` (${audit.displayValue})` : ""}`);
    }
  }
  return low.length === 0;
}

try {
  // One after the other: pages that load together slow each other down.
  for (const path of paths) {
    if (!(await score(path))) process.exitCode = 1;
  }
} finally {
  browser.kill();
}
