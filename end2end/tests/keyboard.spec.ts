// Everything can be done by keyboard, and one always sees where one is.
import type { Locator, Page } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { OverviewPage } from "../pages/overview.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

/** Fails unless the focus is on something in sight that shows it. */
async function expectFocusVisible(page: Page): Promise<void> {
  const focused = page.locator(":focus");
  await expect(focused).toBeInViewport();
  const sign = await focused.evaluate((element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  });
  expect(sign, `the focus shows on ${await focused.evaluate((element) => element.outerHTML.slice(0, 200))}`).toBe(true);
}

/** Goes from one thing to the next until `goal` has the focus. */
async function reach(page: Page, goal: Locator, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> {
  for (let steps = 0; steps < 100; steps += 1) {
    if (await goal.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(key);
  }
  await expect(goal).toBeFocused();
}

/** From the beginning of a page to its content, past everything that stands on each. */
async function skipToContent(page: Page): Promise<void> {
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await expectFocusVisible(page);
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
}

/** Goes on until `goal` has the focus, and shows it. */
async function tabTo(page: Page, goal: Locator): Promise<void> {
  await reach(page, goal);
  await expectFocusVisible(page);
}

test("the whole journey, from the search to the promotion", async ({ page, registry, auditThemes }) => {
  const word = registry.word();
  const agent = await registry.agent(`Be ${word}.\n`);
  const overview = new OverviewPage(page);
  await overview.open();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Search agents, prompts and notes" })).toBeFocused();
  await expectFocusVisible(page);
  await page.keyboard.type(word);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\?q=/);
  await hydrated(page);
  await skipToContent(page);
  await tabTo(page, page.getByRole("region", { name: /1 place for/ }).getByRole("link", { name: `${agent} 1.0.0` }));
  await auditThemes();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/versions/1.0.0`));

  await hydrated(page);

  // The focus of the link that was followed is gone with its page; keys work all the same.
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  const editor = new EditorPage(page);
  await page.waitForURL(/\/edit$/);
  await editor.ready();
  await skipToContent(page);
  await reach(page, editor.text);
  await expect(page.locator(".monaco-editor.focused")).toBeInViewport();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("Be kind.");
  // Tab belongs to the text until Control M gives it back.
  await page.keyboard.press("Control+M");
  await tabTo(page, editor.bump("Patch"));
  await page.keyboard.press("ArrowDown");
  await expect(editor.bump("Minor")).toBeChecked();
  await tabTo(page, editor.notes);
  await page.keyboard.type("Kinder.");
  await reach(page, editor.text, "Shift+Tab");
  await auditThemes();
  await page.keyboard.press("Control+Enter");
  const version = new VersionPage(page);
  await version.saved(agent, "1.1.0");
  await hydrated(page);

  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page).toHaveURL(/\/compare\?base=1\.0\.0&head=1\.1\.0$/);
  const comparison = new ComparisonPage(page);
  await expect(comparison.summary).toHaveText("1 line added · 0 removed");
  await hydrated(page);
  await page.keyboard.press("n");
  await expect(comparison.changes.first()).toBeFocused();
  await expectFocusVisible(page);
  await auditThemes();

  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}$`));
  const history = new HistoryPage(page);
  await expect(history.row("1.1.0")).toBeVisible();
  await hydrated(page);
  await page.keyboard.press("j");
  await expect(history.row("1.1.0")).toBeFocused();
  await expectFocusVisible(page);
  await page.keyboard.press("j");
  await expect(history.row("1.0.0")).toBeFocused();
  await page.keyboard.press("k");
  await expect(history.row("1.1.0")).toBeFocused();
  await auditThemes();
  await tabTo(page, history.promote("1.1.0"));
  await page.keyboard.press("Enter");
  const promotion = new PromotionDialog(page);
  await expect(promotion.dialog).toBeVisible();
  await hydrated(page);
  await expect(promotion.dialog.locator(":focus")).toHaveCount(1);
  await auditThemes();
  await page.keyboard.press("Escape");
  await expect(promotion.dialog).toBeHidden();
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}#do-1\\.1\\.0$`));
  expect((await registry.active(agent)).version).toBe("1.0.0");

  // Back where the question was asked.
  await hydrated(page);
  await expect(history.promote("1.1.0")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(promotion.dialog).toBeVisible();
  await hydrated(page);
  await tabTo(page, promotion.confirm);
  await page.keyboard.press("Enter");
  await page.waitForURL(/done=1\.1\.0/);
  await hydrated(page);
  expect(await registry.active(agent)).toEqual({ version: "1.1.0", text: `Be ${word}.\nBe kind.` });
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page).toHaveURL(/\/$/);
});

test("n and p go through the changes of a comparison", async ({ page, registry }) => {
  const line = (number: number) => `Line ${number}.`;
  const base = Array.from({ length: 60 }, (_, index) => line(index + 1));
  const head = base.map((text, index) => ([9, 29, 49].includes(index) ? `${text} Changed.` : text));
  const agent = await registry.agent(base.join("\n"));
  await registry.create(agent, "1.1.0", head.join("\n"));
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0", "&open=all");
  await expect(comparison.changes).toHaveCount(3);
  for (const [key, change] of [["n", 0], ["n", 1], ["n", 2], ["n", 2], ["p", 1], ["p", 0], ["p", 0]] as const) {
    await page.keyboard.press(key);
    await expect(comparison.changes.nth(change)).toBeFocused();
    await expectFocusVisible(page);
  }
});

test("n and p begin where the reader is, and lines have addresses", async ({ page, registry }) => {
  const base = Array.from({ length: 60 }, (_, index) => `Line ${index + 1}.`);
  const head = base.map((text, index) => ([9, 29, 49].includes(index) ? `${text} Changed.` : text));
  const agent = await registry.agent(base.join("\n"));
  await registry.create(agent, "1.1.0", head.join("\n"));
  const comparison = new ComparisonPage(page);
  for (const [key, change] of [["n", 2], ["p", 1]] as const) {
    // Each time a page of its own: with the hash alone the browser would stay where it is.
    await page.goto("/");
    await comparison.open(agent, "1.0.0", "1.1.0", "&open=all#H40");
    await expect(comparison.table.locator("#H40")).toBeInViewport();
    await page.keyboard.press(key);
    await expect(comparison.changes.nth(change)).toBeFocused();
  }
  await page.keyboard.press("j");
  await expect(comparison.table.locator("#B30")).toBeFocused();
  await expectFocusVisible(page);
  await page.keyboard.press("j");
  await expect(comparison.table.locator("#B31")).toBeFocused();
  await page.keyboard.press("l");
  await expect(comparison.table.locator("#H31")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#H31$/);
});

test("rows open what they are about, and the history is one key away everywhere", async ({ page, registry }) => {
  const word = registry.word();
  const agent = await registry.agent(`Be ${word}.\n`);
  await page.goto("/");
  await hydrated(page);
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await expect(page).toHaveURL(/\/history$/);
  await hydrated(page);
  await page.goto(`/history?agent=${agent}`);
  await hydrated(page);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/versions/1.0.0$`));
  await hydrated(page);
  await page.goto(`/?q=${word}`);
  await hydrated(page);
  await page.keyboard.press("j");
  await expect(page.locator(".found li").first()).toBeFocused();
  await expectFocusVisible(page);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/versions/1.0.0$`));
});

test("keys belong to the field that is written in", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const history = new HistoryPage(page);
  await history.open(agent);
  const author = history.filters.getByLabel("Author");
  await author.focus();
  await page.keyboard.type("gh/ntj?");
  await expect(author).toHaveValue("gh/ntj?");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}$`));
  await expect(page.getByRole("dialog")).toBeHidden();

  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("g h ? / n");
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "g h ? / n"]);
  await expect(page).toHaveURL(/\/edit$/);
});
