// A browser against a running server: VERBATIM_URL names the server, CHROMIUM the browser. scripts/end2end gives both.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  // A journey audits each page that it comes through, in both themes, and on a busy machine an audit takes seconds. How long
  // that machine takes says nothing about the pages: what must be quick has a limit of its own.
  timeout: 300_000,
  expect: { timeout: 30_000 },
  // A run that is lost ends while its log is still short.
  globalTimeout: 30 * 60_000,
  maxFailures: 5,
  workers: 2,
  reporter: [["list"], ["./reporter.ts"]],
  use: {
    baseURL: process.env.VERBATIM_URL ?? "http://127.0.0.1:3000",
    viewport: { width: 1440, height: 900 },
    launchOptions: {
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
    },
  },
});
