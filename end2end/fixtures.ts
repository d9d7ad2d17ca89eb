// What every test has: pages whose console must stay empty and which have no violation of accessibility, also those that it
// opens itself, and a registry to make agents in.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base, type Browser, type BrowserContext, type Page, type TestInfo } from "@playwright/test";
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

/** Writes down what the console says in every page of a browser, and what does not arrive. */
function listen(context: BrowserContext): string[] {
  const said: string[] = [];
  context.on("console", (message) => {
    if (["warning", "error"].includes(message.type()) && !TOO_EARLY.test(message.text())) said.push(`${message.type()}: ${message.text()}`);
  });
  context.on("weberror", (thrown) => said.push(`exception: ${thrown.error().message}`));
  context.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "";
    // Whoever leaves a page breaks off what it still asks for, such as the stream of events.
    if (reason !== "net::ERR_ABORTED") said.push(`failed: ${request.url()} ${reason}`);
  });
  return said;
}

type Violation = Awaited<ReturnType<AxeBuilder["analyze"]>>["violations"][number];

/** The elements that are a violation by themselves. A toast may lie over a part of a control until it goes, because other tests
 * change the registry as well: then the control is said to be too small, or too near to what is in the toast. */
async function lasting(page: Page, { id, nodes }: Violation): Promise<Violation["nodes"]> {
  if (id !== "target-size") return nodes;
  const found = nodes.map(({ target, any }) => ({
    control: String(target),
    inTheWay: any.map(({ relatedNodes = [] }) => relatedNodes.map((related) => String(related.target))),
  }));
  const isUnderToast = await page.evaluate((found) => {
    // What is no longer there was a toast.
    const isToast = (selector: string) => document.querySelector(selector)?.closest(".toast") !== null;
    return found.map(
      ({ control, inTheWay }) => !isToast(control) && inTheWay.some((selectors) => selectors.length > 0 && selectors.every(isToast)),
    );
  }, found);
  return nodes.filter((_, index) => !isUnderToast[index]);
}

async function violations(page: Page): Promise<string[]> {
  await page.waitForLoadState("load");
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
  const found = await Promise.all(
    result.violations.map(async (violation) => {
      const nodes = await lasting(page, violation);
      return nodes.map((node) => `${violation.id}: ${node.html} ${node.any[0]?.message ?? ""}`);
    }),
  );
  return found.flat();
}

/** The same for a page without scripts, where the audit, a script, would never end: what stands there is looked at in a browser
 * that has them. */
async function violationsOfCopy(page: Page, browser: Browser): Promise<string[]> {
  const body = (await page.content())
    .replaceAll(/<script\b[^>]*>.*?<\/script>/gs, "")
    // What is said only without scripts stays.
    .replaceAll(/<\/?noscript\b[^>]*>/g, "");
  const context = await browser.newContext({ javaScriptEnabled: true, viewport: page.viewportSize() });
  const copy = await context.newPage();
  // The first request is for the page itself; its styles come from the server.
  await copy.route("**", (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body }), { times: 1 });
  await copy.goto(page.url());
  const found = await violations(copy);
  await context.close();
  return found;
}

/** Whether a page of the site is shown, and not a text or a file that it leads to. */
async function isOurs(page: Page): Promise<boolean> {
  if (page.isClosed()) return false;
  await page.waitForLoadState("load");
  return (await page.locator("main#main").count()) > 0;
}

type Asked = Options & { javaScriptEnabled: boolean | undefined; browser: Browser };

/** What is asked of each page that a test has left open, and of what the console said in all of them. */
async function check(context: BrowserContext, said: string[], asked: Asked, info: TestInfo): Promise<void> {
  const { expectedInConsole, javaScriptEnabled, browser } = asked;
  if (info.status === info.expectedStatus) {
    for (const page of context.pages()) {
      if (!(await isOurs(page))) continue;
      const found = javaScriptEnabled === false ? await violationsOfCopy(page, browser) : await violations(page);
      expect(found, `the audit of ${page.url()} at the end`).toEqual([]);
    }
  }
  expect(said.filter((text) => !expectedInConsole.some((known) => known.test(text)))).toEqual([]);
}

export const test = base.extend<Options & Fixtures>({
  expectedInConsole: [[], { option: true }],

  registry: async ({ request }, use, info) => use(new Registry(request, info.parallelIndex)),

  context: async ({ browser, context, expectedInConsole, javaScriptEnabled }, use, info) => {
    const said = listen(context);
    await use(context);
    await check(context, said, { expectedInConsole, javaScriptEnabled, browser }, info);
  },

  otherPage: async ({ browser, expectedInConsole, javaScriptEnabled }, use, info) => {
    const context = await browser.newContext();
    const said = listen(context);
    await use(await context.newPage());
    await check(context, said, { expectedInConsole, javaScriptEnabled, browser }, info);
    await context.close();
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
