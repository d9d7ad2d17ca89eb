// Says at the very end what failed and why, a line each: the end is what is left of a log that was cut.
import type { Reporter, TestCase, TestResult } from "@playwright/test/reporter";

/** Colours and the like, which a log shows as noise. */
const ESCAPES = /\u001b\[[0-9;]*m/g;

export default class Summary implements Reporter {
  private readonly failures: string[] = [];

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === test.expectedStatus || result.status === "skipped") return;
    const reasons = result.errors.map(({ message }) => (message ?? "").replace(ESCAPES, "").replace(/\s+/g, " ").slice(0, 600));
    const { file, line } = test.location;
    this.failures.push(`${file.split("/").at(-1)}:${line} ${test.title} (${result.status}): ${reasons.join(" | ")}`);
  }

  onExit(): Promise<void> {
    for (const failure of this.failures) console.log(`failed: ${failure}`);
    return Promise.resolve();
  }

  printsToStdio(): boolean {
    return false;
  }
}
