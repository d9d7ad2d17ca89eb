// What differs between two versions, to the word, and how to get at it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "../fixtures.js";
import { ComparisonPage } from "../pages/comparison.js";
import { hydrated } from "../pages/hydrated.js";
import { PromotionDialog } from "../pages/promotion.js";

const lines = (count: number) => Array.from({ length: count }, (_, index) => `Line ${index + 1} of the prompt.`);

test("words are marked inside lines, and figures tell the rest", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("# Role\nYou review {{language}} code.\n# Tone\nBe brief.\n");
  await registry.create(agent, "1.1.0", "# Role\nYou review {{framework}} code.\n# Limits\nBe brief.\n");
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0");
  await expect(comparison.table.locator("del", { hasText: "language" })).toHaveText("language");
  await expect(comparison.table.locator("ins", { hasText: "framework" })).toHaveText("framework");
  await expect(comparison.table.locator(".removed", { hasText: "language" })).toContainText("−You review {{language}} code.");
  await expect(comparison.summary).toHaveText("2 lines added · 2 removed");
  const figures = comparison.figures;
  const size = figures.getByRole("list", { name: "Size" }).getByRole("listitem");
  await expect(size.filter({ hasText: "Characters" })).toHaveText("Characters 54 → 57 +3");
  await expect(size.filter({ hasText: "Lines" })).toHaveText("Lines 4 → 4 ±0");
  const names = (title: string) => figures.getByRole("list", { name: title }).getByRole("listitem");
  await expect(names("Variables")).toHaveText([/added\s+framework$/, /removed\s+language$/]);
  await expect(names("Sections").filter({ hasText: "added" })).toContainText("Limits");
  await expect(names("Sections").filter({ hasText: "removed" })).toContainText("Tone");
  const begin = await comparison.table.evaluate((table) => table.getBoundingClientRect().top + window.scrollY);
  expect(begin, "the difference begins in the upper 40 % of the first screen").toBeLessThanOrEqual(360);
  await expect(page.getByRole("region", { name: "Performance" })).toContainText("No data yet.");
  await auditThemes();
  await comparison.view("Unified").click();
  await expect(comparison.table).toHaveClass(/unified/);
  await expect(comparison.view("Unified")).toHaveAttribute("aria-current", "true");
  await expect(comparison.table.locator("del", { hasText: "language" })).toHaveText("language");
  await auditThemes();
});

test("a block that only moved is said to be moved, with links to both places", async ({ page, registry, auditThemes }) => {
  const block = ["Write short sentences, and name things as the field does.", "Say what happened, and what to do about it."];
  const rest = lines(8);
  const agent = await registry.agent(`${[...block, ...rest].join("\n")}\n`);
  await registry.create(agent, "1.1.0", `${[...rest, ...block].join("\n")}\n`);
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0");
  await expect(comparison.summary).toContainText("2 lines only moved");
  await expect(comparison.table.locator(".removed.moved").first()).toContainText("moved to line 9");
  await expect(comparison.table.locator(".added.moved").first()).toContainText("moved from line 1");
  await auditThemes();
  await comparison.table.getByRole("link", { name: "line 9" }).click();
  await expect(comparison.table.locator("#H9")).toBeInViewport();
});

test("what is the same is folded, and unfolds", async ({ page, registry, auditThemes }) => {
  const base = lines(100);
  const agent = await registry.agent(base.join("\n"));
  // Lines above the fold make the numbers of the two sides differ.
  await registry.create(agent, "1.1.0", ["New.", "New too.", ...base.with(59, "Line 60, changed.")].join("\n"));
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0");
  const text = (number: number) => comparison.table.getByText(`Line ${number} of the prompt.`, { exact: true }).first();
  await expect(comparison.folds).toHaveCount(2);
  await expect(text(30)).toBeHidden();
  await comparison.folds.last().click();
  await expect(comparison.folds).toHaveCount(1);
  await expect(text(90)).toBeVisible();
  await expect(text(64)).toBeInViewport();
  await comparison.folds.first().click();
  await expect(comparison.folds).toHaveCount(0);
  await expect(text(4)).toBeInViewport();
  await expect(text(90)).toBeVisible();
  await page.reload();
  await hydrated(page);
  await expect(text(90)).toBeVisible();
  await comparison.open(agent, "1.0.0", "1.1.0");
  await comparison.view("Unfold all").click();
  await expect(text(30)).toBeVisible();
  await auditThemes();
  await comparison.view("Fold unchanged lines").click();
  await expect(text(30)).toBeHidden();
});

test("white space can be ignored", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n  Two.\nThree.\n");
  await registry.create(agent, "1.1.0", "One.\nTwo. \nThree.\n");
  await registry.create(agent, "1.2.0", "One.\nTwo.\nFour.\n");
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0");
  await expect(comparison.summary).toHaveText("1 line added · 1 removed");
  await comparison.view("Ignore white space").click();
  await expect(comparison.summary).toHaveText("Only white space differs.");
  await comparison.open(agent, "1.0.0", "1.2.0", "&ws=ignore");
  await expect(comparison.summary).toHaveText("1 line added · 1 removed");
  await comparison.view("Show white space changes").click();
  await expect(comparison.summary).toHaveText("2 lines added · 2 removed");
});

test("the two are swapped, and the view stays", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "One.\nTwo.\n");
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0", "&view=unified&ws=ignore");
  await expect(comparison.summary).toHaveText("1 line added · 0 removed");
  await comparison.swap.click();
  await expect(comparison.summary).toHaveText("0 lines added · 1 removed");
  await expect(comparison.sides).toContainText(["1.1.0", "1.0.0"]);
  await expect(comparison.base).toHaveValue("1.1.0");
  await expect(comparison.head).toHaveValue("1.0.0");
  await expect(comparison.table).toHaveClass(/unified/);
  await expect(page).toHaveURL(/ws=ignore/);
});

test("a version of another agent is compared and promoted as such", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  const other = await registry.agent("Two.\n");
  await registry.create(other, "1.1.0", "One.\nAnd two.\n");
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.0.0");
  await expect(comparison.summary).toHaveText("The two texts are the same, to the letter.");
  await comparison.head.fill(`${other}@1.1.0`);
  await comparison.chooser.getByRole("button", { name: "Compare" }).click();
  await page.waitForURL(/%40|@/);
  await hydrated(page);
  await expect(comparison.summary).toHaveText("1 line added · 0 removed");
  await expect(comparison.sides.last()).toContainText(other);
  await expect(comparison.head).toHaveValue(`${other}@1.1.0`);
  await auditThemes();
  await page.getByRole("link", { name: "Promote 1.1.0" }).click();
  const promotion = new PromotionDialog(page);
  await expect(promotion.going).toContainText(`${other} 1.0.0 → 1.1.0`);
  await promotion.agree();
  expect((await registry.active(other)).version).toBe("1.1.0");
  expect((await registry.active(agent)).version).toBe("1.0.0");
});

for (const [name, base, head] of [
  ["ordinary texts", `${lines(40).join("\n")}\n`, `${lines(40).with(3, "Changed.").with(30, "Ünïcode \u{1F600}.").join("\n")}\nMore.\n`],
  ["texts without a last line break", "One.\nTwo.", "One.\nThree."],
  ["a text that gains its last line break", "One.\nTwo.", "One.\nTwo.\n"],
  ["lines that end with CR LF", "One.\r\nTwo.\r\nThree.\r\n", "One.\r\nTwo, changed.\r\nThree.\r\n"],
  ["lines that look like a patch", "--- a\n+++ b\n@@ -1 +1 @@\n", "--- a\n+++ c\n@@ -1 +1 @@\n-x\n"],
] as const) {
  test(`the patch of ${name} makes the head of the base`, async ({ page, registry }) => {
    const agent = await registry.agent(base);
    await registry.create(agent, "1.1.0", head);
    const comparison = new ComparisonPage(page);
    await comparison.open(agent, "1.0.0", "1.1.0");
    const [download] = await Promise.all([page.waitForEvent("download"), comparison.patch.click()]);
    expect(download.suggestedFilename()).toBe(`${agent}-1.0.0-1.1.0.patch`);
    const patch = await download.path();
    for (const [program, flags] of [
      ["patch", ["--binary", "--batch", "--fuzz=0", "-p1", "-i", patch]],
      ["git", ["apply", patch]],
    ] as const) {
      // Outside of any repository, where git would look for the file from its root.
      const folder = mkdtempSync(join(tmpdir(), "verbatim-patch-"));
      const file = join(folder, `${agent}.md`);
      writeFileSync(file, base);
      execFileSync(program, flags, { cwd: folder });
      expect(readFileSync(file, "utf8"), program).toBe(head);
    }
  });
}

test("an address with a line shows it, in both views", async ({ page, registry }) => {
  const base = lines(300);
  const agent = await registry.agent(base.join("\n"));
  const head = base.map((line, index) => (index % 4 === 0 ? `${line} Changed.` : line));
  await registry.create(agent, "1.1.0", head.join("\n"));
  const comparison = new ComparisonPage(page);
  for (const view of ["", "&view=unified"]) {
    for (const line of ["H12", "B240"]) {
      await comparison.open(agent, "1.0.0", "1.1.0", `${view}#${line}`);
      const number = comparison.table.locator(`#${line}`);
      await expect(number).toBeInViewport();
      const isCovered = () =>
        number.evaluate((element) => {
          const { left, top, width, height } = element.getBoundingClientRect();
          const above = document.elementFromPoint(left + width / 2, top + height / 2);
          return !(above && (element.contains(above) || above.contains(element)));
        });
      await expect.poll(isCovered, `${line} is not under a bar that stays`).toBe(false);
    }
  }
  await comparison.open(agent, "1.0.0", "1.1.0");
  await comparison.table.locator("#H9").click();
  await expect(page).toHaveURL(/#H9$/);
  await expect(comparison.table.locator("#H9")).toBeInViewport();
});

test("a line in a fold is shown when its address is opened", async ({ page, registry }) => {
  const base = lines(100);
  const agent = await registry.agent(base.join("\n"));
  await registry.create(agent, "1.1.0", base.with(99, "Changed.").join("\n"));
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0", "&open=1#H40");
  await expect(comparison.table.locator("#H40")).toBeInViewport();
});

test("without versions in its address it compares what is live with the newest", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  const comparison = new ComparisonPage(page);
  await page.goto(`/agents/${agent}/compare?view=unified`);
  await hydrated(page);
  await expect(comparison.sides).toContainText(["1.0.0", "1.1.0"]);
  // The address says all of it from now on.
  await expect(page).toHaveURL(/\?view=unified&base=1\.0\.0&head=1\.1\.0$/);
  await registry.promote(agent, "1.1.0");
  await page.reload();
  await expect(comparison.sides).toContainText(["1.0.0", "1.1.0"]);
  const first = await registry.agent("One.\n");
  await page.goto(`/agents/${first}/compare`);
  await hydrated(page);
  await expect(comparison.sides).toContainText(["1.0.0", "1.0.0"]);
  await auditThemes();
});

test("texts that differ in everything are compared in time", async ({ page, registry }) => {
  // Lines of few kinds in another order each: the shortest difference takes long to find.
  let seed = 7;
  const random = (limit: number) => (seed = (seed * 48_271) % 2_147_483_647) % limit;
  const text = (count: number) => Array.from({ length: count }, () => `Kind ${random(40)}`).join("\n");
  const agent = await registry.agent(text(20_000));
  await registry.create(agent, "1.1.0", text(20_000));
  const comparison = new ComparisonPage(page);
  await comparison.open(agent, "1.0.0", "1.1.0");
  await expect(page.getByText("the search for the smallest difference was cut short")).toBeVisible();
  await expect(page.getByText(/more changed lines are not shown/)).toBeVisible();
  // An audit of thousands of rows would take minutes, and they are all alike.
  await page.goto("/");
  await hydrated(page);
});
