// Weighs the first visit of pages, as transferred, and fails when one is over a limit: node sizes.mjs [path…]
// VERBATIM_URL names the server, CHROMIUM the browser. scripts/with-server gives both.
import { chromium } from "@playwright/test";

// Bytes.
const LIMITS = { total: 350_000, wasm: 250_000 };
const PATHS = ["/", "/agents/backend_dev"];
// The editor is heavy: it is for pages where something is written, not for these.
const EDITOR = "/vendor/monaco/";
const TYPES = [
  ["document", /^text\/html/],
  ["wasm", /^application\/wasm/],
  ["js", /javascript/],
  ["css", /^text\/css/],
];

const server = process.env.VERBATIM_URL ?? "http://127.0.0.1:3000";
const given = process.argv.slice(2);
const paths = given.length > 0 ? given : PATHS;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** Prints what a page transfers with nothing cached, in kB of 1000 bytes; false if it is over a limit. */
async function weigh(path) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const requests = new Map();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  network.on("Network.requestWillBeSent", ({ requestId, request }) => {
    requests.set(requestId, { url: request.url, type: "other", bytes: 0 });
  });
  network.on("Network.responseReceived", ({ requestId, response }) => {
    const request = requests.get(requestId);
    if (request) request.type = TYPES.find(([, mime]) => mime.test(response.mimeType))?.[0] ?? "other";
  });
  network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const request = requests.get(requestId);
    if (request) request.bytes = encodedDataLength;
  });
  const answer = await page.goto(new URL(path, server).href);
  // The page of an error is small and says nothing about the one that is missing.
  if (!answer?.ok()) {
    console.log(`${path}  could not be weighed: it answers ${answer?.status()}`);
    await context.close();
    return false;
  }
  await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
  // What the page fetches once it is alive belongs to the first visit.
  await page.waitForLoadState("networkidle");
  await context.close();

  const sizes = { document: 0, wasm: 0, js: 0, css: 0, other: 0, total: 0 };
  for (const { type, bytes } of requests.values()) {
    sizes[type] += bytes;
    sizes.total += bytes;
  }
  const shown = Object.entries(sizes).map(
    ([type, bytes]) => `${type} ${(bytes / 1000).toFixed(1)}${type in LIMITS ? ` (limit ${LIMITS[type] / 1000})` : ""}`,
  );
  const editor = [...requests.values()].map(({ url }) => url).filter((url) => new URL(url).pathname.startsWith(EDITOR));
  console.log(`${path}  kB: ${shown.join("  ")}  files of the editor: ${editor.length} (limit 0)`);
  for (const url of editor) console.log(`  loads ${new URL(url).pathname}`);
  return editor.length === 0 && Object.entries(LIMITS).every(([type, limit]) => sizes[type] <= limit);
}

try {
  for (const path of paths) {
    if (!(await weigh(path))) process.exitCode = 1;
  }
} finally {
  await browser.close();
}
