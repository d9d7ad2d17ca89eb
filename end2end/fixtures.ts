// What every test has: pages whose console must stay empty and which have no violation of accessibility, and a registry to
// make agents in.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base, type Page } from "@playwright/test";
import { Registry } from "./registry.js";

type Options = {
  /** What the console may say in this test, and why is said where it is set. */
  expectedInConsole: RegExp[];
};

type Fixtures = {
  /** The registry as programs reach it. */
  registry: Registry;
  /** Fails unless the page has no violation of WCAG 2.2 AA in the theme that it is in. For the middle of a journey: its end is
   * audited without being asked. */
  audit: () => Promise<void>;
  /** The same in the light and in the dark theme. */
  auditThemes: () => Promise<void>;
  /** A page in the browser of somebody else. */
  otherPage: Page;
};

/** Chromium's remark that a script was fetched long before it ran: it tells how busy the machine is, not what the page does. */
const TOO_EARLY = /was preloaded using link preload but not used/;

/** Writes down what the console of a page says, and what does not arrive. */
function listen(page: Page): string[] {
  const said: string[] = [];
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type()) && !TOO_EARLY.test(message.text())) said.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => said.push(`exception: ${error.message}`));
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "";
    // Whoever leaves a page breaks off what it still asks for, such as the stream of events.
    if (reason !== "net::ERR_ABORTED") said.push(`failed: ${request.url()} ${reason}`);
  });
  return said;
}

async function violations(page: Page): Promise<string[]> {
  // A colour on its way from one theme to the other is neither. What is folded away never arrives, and is not audited.
  await page.waitForFunction(() =>
    document.getAnimations().every(
      (animation) =>
        !(animation instanceof CSSTransition && animation.effect instanceof KeyframeEffect && animation.effect.target?.checkVisibility()),
    ),
  );
  // Where a page is scrolled to, what stays at its top may cover half of a button.
  await page.evaluate(() => window.scrollTo(0, 0));
  const result = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    .analyze();
  return result.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.any[0]?.message ?? ""}`));
}

/** Whether a page of the site is shown, and not a text or a file that it leads to. */
async function isOurs(page: Page): Promise<boolean> {
  return !page.isClosed() && (await page.locator("main#main").count()) > 0;
}

export const test = base.extend<Options & Fixtures>({
  expectedInConsole: [[], { option: true }],

  registry: async ({ request }, use, info) => use(new Registry(request, info.parallelIndex)),

  page: async ({ page, expectedInConsole, javaScriptEnabled }, use, info) => {
    const said = listen(page);
    await use(page);
    // The audit is a script that never ends in a page without scripts; there it is left out.
    if (javaScriptEnabled !== false && info.status === info.expectedStatus && (await isOurs(page))) {
      expect(await violations(page), `the audit of ${page.url()} at the end`).toEqual([]);
    }
    expect(said.filter((text) => !expectedInConsole.some((known) => known.test(text)))).toEqual([]);
  },

  otherPage: async ({ browser, expectedInConsole }, use, info) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const said = listen(page);
    await use(page);
    if (info.status === info.expectedStatus && (await isOurs(page))) {
      expect(await violations(page), `the audit of ${page.url()} at the end, in the other browser`).toEqual([]);
    }
    await context.close();
    expect(said.filter((text) => !expectedInConsole.some((known) => known.test(text)))).toEqual([]);
  },

  audit: async ({ page }, use) => {
    await use(async () => expect(await violations(page), `the audit of ${page.url()}`).toEqual([]));
  },

  auditThemes: async ({ page }, use) => {
    await use(async () => {
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await violations(page), `the audit of ${page.url()}, ${colorScheme}`).toEqual([]);
      }
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
