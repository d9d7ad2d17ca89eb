// On a phone every page fits, and everything can be reached.
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { OverviewPage } from "../pages/overview.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

test.use({ viewport: { width: 360, height: 740 } });

const LONG = `${"A long line of a prompt that goes on and on. ".repeat(6)}${"unbroken".repeat(20)}`;

/** What is wider than the window, and controls that reach beyond it where nothing scrolls. */
async function beyond(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const root = document.documentElement;
    const found = root.scrollWidth > window.innerWidth ? [`the page: ${root.scrollWidth}`] : [];
    const scrolls = (element: Element | null): boolean =>
      element !== null && (["auto", "scroll"].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    for (const control of document.querySelectorAll("a, button, input, select, textarea, summary, label")) {
      const { left, right, width, height } = control.getBoundingClientRect();
      const isSeen = width > 1 && height > 1 && getComputedStyle(control).visibility !== "hidden" && !control.closest(".skip-link, .monaco, .visually-hidden");
      if (isSeen && (left < -1 || right > window.innerWidth + 1) && !scrolls(control.parentElement)) {
        found.push(`${control.outerHTML.slice(0, 120)}: ${Math.round(left)} to ${Math.round(right)}`);
      }
    }
    return found;
  });
}

test.describe("by touch", () => {
  test.use({ hasTouch: true });

  test("every page is reached from the first one", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const rail = new OverviewPage(page).rail;
    for (const [name, url] of [
      ["History", /\/history$/],
      ["Lab", /\/lab$/],
      ["Metrics", /\/metrics\/prompts$/],
      ["New agent", /\/new$/],
      ["API", /\/docs\/$/],
      [agent, new RegExp(`/agents/${agent}$`)],
      ["Agents", /\/$/],
    ] as const) {
      await page.goto("/");
      await hydrated(page);
      await rail.getByText("Menu", { exact: true }).tap();
      const link = name === agent ? rail.locator(".rail-fold li").filter({ hasText: agent }).getByRole("link") : rail.locator(".rail-pages").getByRole("link", { name, exact: true });
      await expect(link).toBeVisible();
      expect(await beyond(page), name).toEqual([]);
      await link.tap();
      await expect(page).toHaveURL(url);
      // It is left only when it is whole: a page that is broken off complains.
      if (name === "API") await expect(page.locator(".opblock").first()).toBeVisible();
      else await hydrated(page);
    }
    await page.goto("/");
    await hydrated(page);
    await rail.getByText("Menu", { exact: true }).tap();
    await auditThemes();
  });

  test("nothing that is out of sight takes the focus", async ({ page }) => {
    await page.goto("/");
    await hydrated(page);
    for (let steps = 0; steps < 25; steps += 1) {
      await page.keyboard.press("Tab");
      // At one moment: the page follows what others do, and may put another element in the place of the one with the focus.
      const { area, html } = await page.evaluate(() => {
        const focused = document.activeElement ?? document.body;
        const { width, height } = focused.getBoundingClientRect();
        return { area: width * height, html: focused.outerHTML.slice(0, 120) };
      });
      expect(area, html).toBeGreaterThan(16);
    }
  });
});

test("the overview and its search", async ({ page, registry, auditThemes }) => {
  const word = registry.word();
  const agent = await registry.agent(`${LONG} ${word}\n`, { notes: LONG });
  const overview = new OverviewPage(page);
  await overview.open();
  expect(await beyond(page)).toEqual([]);
  await expect(overview.row(agent).getByRole("link", { name: `Edit ${agent}` })).toBeVisible();
  await page.goto(`/?q=${word}`);
  await expect(page.getByRole("region", { name: /1 place for/ })).toBeVisible();
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
});

test("the history, of one agent and of all", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent(`${LONG}\n`, { notes: LONG, created_by: "christopher@a-long-name.example" });
  await registry.create(agent, "12.104.1033", "Be brief.\n", { notes: "unbroken".repeat(30) });
  const history = new HistoryPage(page);
  await history.open(agent);
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
  await history.pick("1.0.0", "base").check();
  await history.pick("12.104.1033", "head").check();
  await expect(history.compare).toBeVisible();
  await history.promote("12.104.1033").click();
  const promotion = new PromotionDialog(page);
  await expect(promotion.confirm).toBeInViewport();
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
  await promotion.agree();
  expect((await registry.active(agent)).version).toBe("12.104.1033");
  await history.open(undefined, `?agent=${agent}`);
  await expect(history.filters.getByLabel("Agent")).toHaveValue(agent);
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
});

test("a version", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent(`${LONG}\n{{${"name".repeat(12)}}}\n`, { notes: LONG });
  await registry.create(agent, "1.1.0", "Be brief.\n");
  const version = new VersionPage(page);
  await version.open(agent, "1.0.0");
  await expect(version.text).toBeVisible();
  await expect(version.raw).toBeVisible();
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
});

test("a comparison, in both views", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent(`${LONG}\nBe brief.\n`);
  await registry.create(agent, "1.1.0", `${LONG} Changed.\nBe brief.\n`);
  const comparison = new ComparisonPage(page);
  for (const view of ["", "&view=unified"]) {
    await comparison.open(agent, "1.0.0", "1.1.0", view);
    await expect(comparison.table).toBeVisible();
    expect(await beyond(page), view).toEqual([]);
    await expect(page.getByRole("link", { name: "Promote 1.1.0" })).toBeVisible();
    await auditThemes();
  }
});

test("the editor, its preview and its changes", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent(`${LONG}\n\n| a | b |\n|---|---|\n| ${"c".repeat(80)} | {{name}} |\n`);
  const editor = new EditorPage(page);
  await editor.open(agent);
  expect(await beyond(page)).toEqual([]);
  await editor.append("More.");
  for (const [tab, shown] of [["Preview", "article"], ["Changes", ".diff"], ["Write", ".panel"]] as const) {
    await editor.tab(tab).click();
    await expect(page.locator(shown).first()).toBeAttached();
    expect(await beyond(page), tab).toEqual([]);
    await auditThemes();
  }
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.1");
});

test.describe("two writers", () => {
  // The browser reports the status of the page that says what stands in the way.
  test.use({ expectedInConsole: [/status of 409/] });

  test("a conflict", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent(`${LONG}\n`);
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.append("Mine.");
    await registry.release(agent, "1.0.1", `${LONG}\nTheirs.`);
    await editor.save.click();
    await expect(editor.conflict).toBeVisible();
    await editor.ready();
    await editor.conflict.getByText("Their change, 1.0.1").click();
    await editor.conflict.getByText("Your change").click();
    expect(await beyond(page)).toEqual([]);
    await auditThemes();
  });
});

test("the lab: its lists, and what a run says", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.");
  await registry.create(agent, "1.1.0", "Two.");
  await page.goto("/lab");
  await page.getByLabel("Agent", { exact: true }).selectOption(agent);
  await page.getByLabel("Name of a new set").fill("Basics");
  await page.getByRole("button", { name: "Make the set" }).click();
  await page.getByLabel("Or its text").fill("name,input,checks\nCase 1,Question 1,contains: GOOD\nCase 2,Question 2,contains: GOOD");
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("link", { name: "Case 2", exact: true })).toBeVisible();
  expect(await beyond(page)).toEqual([]);
  await page.getByRole("link", { name: "Run it" }).click();
  expect(await beyond(page)).toEqual([]);
  const outputs = [1, 2].flatMap((number) =>
    ["a", "b"].map((side) => JSON.stringify({ case: `Case ${number}`, side, output: side === "b" ? "GOOD" : "BAD" })),
  );
  await page.getByText("Bring your own outputs").click();
  await page.getByLabel("Or its text").fill(outputs.join("\n"));
  await page.getByRole("button", { name: "Judge these outputs" }).click();
  await expect(page.getByRole("row", { name: /pass rate/ })).toBeVisible();
  await hydrated(page);
  expect(await beyond(page)).toEqual([]);
  // What does not fit into its cell stands on what is below.
  const cramped = page.locator("table.metrics tbody > tr > *").evaluateAll((cells) =>
    cells.filter((cell) => cell.scrollHeight > cell.clientHeight + 1).map((cell) => cell.textContent),
  );
  expect(await cramped).toEqual([]);
  await auditThemes();
  await page.goto("/lab");
  await hydrated(page);
  expect(await beyond(page)).toEqual([]);
  await auditThemes();
});

test("a new agent", async ({ page, auditThemes }) => {
  const editor = new EditorPage(page);
  await editor.open();
  expect(await beyond(page)).toEqual([]);
  await expect(editor.agentType).toBeVisible();
  await auditThemes();
});
