// What every test has: a page whose console must stay empty, and an audit of its accessibility.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base } from "@playwright/test";

type Options = {
  /** What the console may say in this test, and why is said where it is set. */
  expectedInConsole: RegExp[];
};

type Fixtures = {
  /** Fails unless the page has no violation of WCAG 2.2 AA. */
  audit: () => Promise<void>;
};

export const test = base.extend<Options & Fixtures>({
  expectedInConsole: [[], { option: true }],

  page: async ({ page, expectedInConsole }, use) => {
    const said: string[] = [];
    page.on("console", (message) => {
      if (["warning", "error"].includes(message.type())) said.push(`${message.type()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => said.push(`exception: ${error.message}`));
    page.on("requestfailed", (request) => said.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
    await use(page);
    expect(said.filter((text) => !expectedInConsole.some((known) => known.test(text)))).toEqual([]);
  },

  audit: async ({ page }, use) => {
    await use(async () => {
      const result = await new AxeBuilder({ page })
        .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
        .analyze();
      expect(result.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html)}`)).toEqual([]);
    });
  },
});

export { expect };

/** The ten agents that a new registry begins with, and what is live. */
export const SEEDED: Record<string, string> = {
  backend_dev: "1.1.0",
  devops_engineer: "1.0.0",
  documentation_expert: "1.0.0",
  frontend_dev: "1.0.0",
  github_specialist: "1.0.0",
  project_manager: "1.0.0",
  qa_engineer: "1.0.1",
  security_expert: "1.0.0",
  uiux_designer: "1.0.0",
  workshopper: "1.0.0",
};
