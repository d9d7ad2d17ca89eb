// With JavaScript switched off: reading, comparing, saving and promoting all work.
import { expect, test } from "../fixtures.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { OverviewPage } from "../pages/overview.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

// A browser without scripts refuses to load one in advance, and says so; and it reports the status of a page that says what
// stands in the way.
test.use({ javaScriptEnabled: false, expectedInConsole: [/^failed: .*\/pkg\/.*\.js csp$|status of (409|422)/] });

test("versions are read, filtered, sorted and paged", async ({ page, registry }) => {
  const agent = await registry.agent("The first.\n", { notes: "Begins." });
  for (let patch = 1; patch <= 51; patch += 1) {
    await registry.create(agent, `1.0.${patch}`, `Text ${patch}.\n`, { created_by: patch === 7 ? "grace" : "ada" });
  }
  await page.goto("/");
  await new OverviewPage(page).row(agent).getByRole("link", { name: agent, exact: true }).click();
  const history = new HistoryPage(page);
  await expect(history.versions).toHaveCount(50);
  await expect(history.versions.first()).toHaveText("1.0.51");
  await history.steps.getByRole("button", { name: "Next page" }).click();
  await expect(history.versions).toHaveText(["1.0.1", "1.0.0"]);
  await history.column("Version").getByRole("link").click();
  await expect(history.versions.first()).toHaveText("1.0.51");
  await history.column("Version").getByRole("link").click();
  await expect(history.versions.first()).toHaveText("1.0.0");
  await history.filters.getByLabel("Author").fill("grace");
  await history.filters.getByRole("button", { name: "Filter" }).click();
  await expect(history.versions).toHaveText(["1.0.7"]);
  await history.filters.getByRole("link", { name: "Show all" }).click();
  await expect(history.versions).toHaveCount(50);
  await history.filters.getByLabel("Status").selectOption("active");
  await history.filters.getByRole("button", { name: "Filter" }).click();
  await expect(history.versions).toHaveText(["1.0.0"]);
  await history.row("1.0.0").getByRole("link", { name: "1.0.0", exact: true }).click();
  await expect(new VersionPage(page).text).toHaveText("The first.\n");
  await expect(new VersionPage(page).copy).toBeHidden();
});

test("two versions are chosen and compared", async ({ page, registry }) => {
  const base = Array.from({ length: 30 }, (_, index) => `Line ${index + 1}.`);
  const agent = await registry.agent(base.join("\n"));
  await registry.create(agent, "1.1.0", base.with(14, "  Line 15.").with(20, "Another line.").join("\n"));
  await registry.create(agent, "1.2.0", "Something else.\n");
  await page.goto(`/agents/${agent}`);
  const history = new HistoryPage(page);
  await history.pick("1.0.0", "base").check();
  await history.pick("1.1.0", "head").check();
  await history.compare.click();
  const comparison = new ComparisonPage(page);
  await expect(comparison.sides).toContainText(["1.0.0", "1.1.0"]);
  await expect(comparison.summary).toHaveText("2 lines added · 2 removed");
  await expect(comparison.table.getByText("Line 1.", { exact: true })).toBeHidden();
  await comparison.folds.first().click();
  await expect(comparison.table.getByText("Line 1.", { exact: true }).first()).toBeVisible();
  await comparison.view("Unified").click();
  await expect(comparison.table).toHaveClass(/unified/);
  await comparison.view("Ignore white space").click();
  await expect(comparison.summary).toHaveText("1 line added · 1 removed");
  await expect(comparison.table).toHaveClass(/unified/);
  await comparison.base.fill("1.2.0");
  await comparison.chooser.getByRole("button", { name: "Compare" }).click();
  await expect(comparison.sides.first()).toContainText("1.2.0");
  await comparison.swap.click();
  await expect(comparison.sides.first()).toContainText("1.1.0");
});

test("a text is looked at, saved, and promoted, to the letter", async ({ page, registry }) => {
  const agent = await registry.agent("\r\n# {{name}}\r\n");
  await page.goto(`/agents/${agent}/edit`);
  const editor = new EditorPage(page);
  await expect(editor.area).toHaveValue("\n# {{name}}\n");
  await editor.area.fill("\n# {{name}}\nBe kind.\n");
  await editor.notes.fill("Kinder.\nMuch.");
  await editor.author.fill("grace");
  await editor.bump("Minor").check();

  await editor.tab("Changes").click();
  await expect(editor.panel.getByRole("status")).toHaveText("1 line added, 0 removed against 1.0.0.");
  await editor.tab("Preview").click();
  await expect(editor.value("name")).toHaveAttribute("aria-invalid", "true");
  await editor.value("name").fill("Ada");
  await editor.tab("Preview").click();
  await expect(editor.panel.getByRole("heading", { name: "Ada" })).toBeVisible();
  await expect(editor.area).toHaveValue("\n# {{name}}\nBe kind.\n");
  await expect(editor.notes).toHaveValue("Kinder.\nMuch.");
  await expect(editor.bump("Minor")).toBeChecked();
  await editor.save.click();

  const version = new VersionPage(page);
  await page.waitForURL(/\/versions\/1\.1\.0/);
  await expect(version.about).toContainText("Kinder.");
  await version.promote.click();
  const promotion = new PromotionDialog(page);
  await expect(promotion.going).toContainText("1.0.0 → 1.1.0");
  await expect(promotion.author).toHaveValue("grace");
  await promotion.agree();
  await expect(promotion.dialog).toBeHidden();
  expect(await registry.active(agent)).toEqual({ version: "1.1.0", text: "\r\n# {{name}}\r\nBe kind.\r\n" });
});

test("the question before a promotion can be declined", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  await page.goto(`/agents/${agent}?author=ada`);
  const [history, promotion] = [new HistoryPage(page), new PromotionDialog(page)];
  await history.promote("1.1.0").click();
  await promotion.cancel.click();
  await expect(promotion.dialog).toBeHidden();
  await expect(page).toHaveURL(/author=ada/);
  await history.promote("1.1.0").click();
  await promotion.agree();
  await expect(page).toHaveURL(/author=ada/);
  await expect(history.status("1.1.0")).toContainText("active");
});

test("an earlier text is brought back as the next patch", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.release(agent, "1.1.0", "Two.\n");
  await page.goto(`/agents/${agent}`);
  const promotion = new PromotionDialog(page);
  await new HistoryPage(page).fixForward("1.0.0").click();
  await expect(promotion.going).toContainText("1.1.0 → 1.1.1");
  await promotion.agree();
  expect(await registry.active(agent)).toEqual({ version: "1.1.1", text: "One.\n" });
});

test("a conflict is shown, settled and saved", async ({ page, registry }) => {
  const agent = await registry.agent("One.\nTwo.\nThree.\n");
  await page.goto(`/agents/${agent}/edit`);
  const editor = new EditorPage(page);
  await editor.area.fill("One.\nMine.\nThree.\n");
  await editor.author.fill("grace");
  await registry.release(agent, "1.0.1", "One.\nTheirs.\nThree.\n", { created_by: "edsger" });
  await editor.save.click();
  await expect(editor.conflict).toContainText("edsger wrote 1.0.1 and made it live while you were writing from 1.0.0");
  await editor.conflict.getByText("Their change, 1.0.1").click();
  await expect(editor.conflict.locator(".added", { hasText: "Theirs." }).first()).toBeVisible();
  await expect(editor.area).toHaveValue("One.\n<<<<<<< yours\nMine.\n=======\nTheirs.\n>>>>>>> 1.0.1\nThree.\n");
  await editor.save.click();
  await expect(editor.textProblem).toContainText("Line 2 still has the marks");
  await expect(editor.author).toHaveValue("grace");
  await editor.area.fill("One.\nOurs.\nThree.\n");
  await editor.saveAndPromote.click();
  await page.waitForURL(/\/versions\/1\.0\.2/);
  expect(await registry.active(agent)).toEqual({ version: "1.0.2", text: "One.\nOurs.\nThree.\n" });
});

test("a new agent is made", async ({ page, registry }) => {
  const agent = registry.name();
  await page.goto("/new");
  const editor = new EditorPage(page);
  await editor.agentType.fill(agent);
  await editor.area.fill("\nYou plan.\n");
  await editor.saveAndPromote.click();
  await page.waitForURL(/\/versions\/1\.0\.0/);
  expect(await registry.active(agent)).toEqual({ version: "1.0.0", text: "\nYou plan.\n" });
});

test("the search finds words", async ({ page, registry }) => {
  const word = registry.word();
  const agent = await registry.agent(`Be ${word}.\n`);
  await page.goto("/");
  await page.getByRole("searchbox", { name: "Search agents, prompts and notes" }).fill(word);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: /1 place for/ }).getByRole("link", { name: `${agent} 1.0.0` })).toBeVisible();
});
