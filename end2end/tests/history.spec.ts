// Every version of an agent, or of all: found, sorted, paged, compared, brought back.
import { expect, test } from "../fixtures.js";
import { AgentHeader } from "../pages/agent-header.js";
import { ComparisonPage } from "../pages/comparison.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { OverviewPage } from "../pages/overview.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

test("filters stand in the address, alone and together", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("Be brief.\n", { created_by: "ada" });
  await registry.release(agent, "1.1.0", "Be brief & kind.\n", { created_by: "grace", notes: "Kinder: 100% of the time." });
  await registry.create(agent, "1.2.0", "Be calm.\n", { created_by: "Ada Lovelace", notes: "Calmer." });
  const history = new HistoryPage(page);
  await history.open(agent);
  await expect(history.count).toHaveText("3 versions");
  await expect(history.status("1.0.0")).toContainText("superseded");
  await expect(history.status("1.1.0")).toContainText("active");
  await expect(history.status("1.2.0")).toContainText("draft");
  await auditThemes();

  const filter = async (fields: { author?: string; status?: string; text?: string }, found: string[]) => {
    await history.filters.getByLabel("Author").fill(fields.author ?? "");
    await history.filters.getByLabel("Status").selectOption(fields.status ?? "");
    await history.filters.getByLabel("Notes or prompt contain").fill(fields.text ?? "");
    await Promise.all([page.waitForEvent("load"), history.filters.getByRole("button", { name: "Filter" }).click()]);
    await hydrated(page);
    if (found.length > 0) await expect(history.versions).toHaveText(found);
    else await expect(page.getByText("No version is like that.")).toBeVisible();
    const { searchParams } = new URL(page.url());
    for (const [name, value] of [["author", fields.author], ["status", fields.status], ["q", fields.text]]) {
      expect(searchParams.get(name as string), name).toBe(value ?? "");
    }
  };
  await filter({ author: "ada" }, ["1.2.0", "1.0.0"]);
  await filter({ status: "superseded" }, ["1.0.0"]);
  await filter({ status: "active" }, ["1.1.0"]);
  await filter({ text: "BRIEF" }, ["1.1.0", "1.0.0"]);
  await filter({ text: "Calmer" }, ["1.2.0"]);
  await filter({ text: "100% of" }, ["1.1.0"]);
  await filter({ text: "1%0" }, []);
  await filter({ text: "brief & k" }, ["1.1.0"]);
  await filter({ author: "ada", status: "draft", text: "be" }, ["1.2.0"]);
  await filter({ author: "nobody" }, []);
  await auditThemes();
  await history.filters.getByRole("link", { name: "Show all" }).click();
  await expect(history.count).toHaveText("3 versions");
  await page.goBack();
  await expect(page.getByText("No version is like that.")).toBeVisible();
  await expect(history.filters.getByLabel("Author")).toHaveValue("nobody");
});

test("versions are sorted by date and by number, both ways", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  for (const version of ["1.10.0", "1.9.0", "2.0.0", "1.9.1"]) await registry.create(agent, version, `${version}\n`);
  const history = new HistoryPage(page);
  await history.open(agent);
  const byDate = ["1.9.1", "2.0.0", "1.9.0", "1.10.0", "1.0.0"];
  const byNumber = ["2.0.0", "1.10.0", "1.9.1", "1.9.0", "1.0.0"];
  await expect(history.versions).toHaveText(byDate);
  await expect(history.column("Created")).toHaveAttribute("aria-sort", "descending");
  await history.column("Created").getByRole("link").click();
  await expect(history.versions).toHaveText(byDate.toReversed());
  await expect(history.column("Created")).toHaveAttribute("aria-sort", "ascending");
  await history.column("Version").getByRole("link").click();
  await expect(history.versions).toHaveText(byNumber);
  await expect(history.column("Version")).toHaveAttribute("aria-sort", "descending");
  await expect(history.column("Created")).not.toHaveAttribute("aria-sort");
  await history.column("Version").getByRole("link").click();
  await expect(history.versions).toHaveText(byNumber.toReversed());
  await expect(page).toHaveURL(/sort=version/);
  await expect(page).toHaveURL(/dir=asc/);
  await page.reload();
  await hydrated(page);
  await expect(history.versions).toHaveText(byNumber.toReversed());
  // A filter keeps the order.
  await history.filters.getByLabel("Notes or prompt contain").fill("1.");
  await history.filters.getByRole("button", { name: "Filter" }).click();
  await expect(history.versions).toHaveText(["1.9.0", "1.9.1", "1.10.0"]);
});

test("many versions come in pages", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("Text 0.\n");
  for (let patch = 1; patch < 120; patch += 1) await registry.create(agent, `1.0.${patch}`, `Text ${patch}.\n`);
  const history = new HistoryPage(page);
  await history.open(agent);
  await expect(history.count).toHaveText("120 versions");
  await expect(history.versions).toHaveCount(50);
  await expect(history.steps).toContainText("Page 1 of 3");
  await expect(history.steps.getByRole("button")).toHaveCount(1);
  await history.steps.getByRole("button", { name: "Next page" }).click();
  await expect(history.versions.first()).toHaveText("1.0.69");
  await expect(page).toHaveURL(/page=2/);
  await expect(history.steps.getByRole("button")).toHaveCount(2);
  await history.steps.getByRole("button", { name: "Next page" }).click();
  await expect(history.versions.last()).toHaveText("1.0.0");
  await expect(history.versions).toHaveCount(20);
  await expect(history.steps.getByRole("button", { name: "Next page" })).toBeHidden();
  await page.reload();
  await expect(history.versions).toHaveCount(20);
  await auditThemes();
  await history.column("Version").getByRole("link").click();
  await expect(history.steps).toContainText("Page 1 of 3");
  await history.open(agent, "?page=9");
  await expect(page.getByText("There is no such page.")).toBeVisible();
  await page.getByRole("link", { name: "Show all versions" }).click();
  await expect(history.versions).toHaveCount(50);
});

test("any two are chosen and compared", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  await registry.create(agent, "1.2.0", "Three.\n");
  const history = new HistoryPage(page);
  await history.open(agent);
  await expect(history.pick("1.1.0", "base")).toBeChecked();
  await expect(history.pick("1.2.0", "head")).toBeChecked();
  await history.pick("1.2.0", "base").check();
  await history.pick("1.0.0", "head").check();
  await history.compare.click();
  const comparison = new ComparisonPage(page);
  await expect(comparison.sides).toContainText(["1.2.0", "1.0.0"]);
  await hydrated(page);
  await auditThemes();
});

test("any two of different pages are chosen and compared", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("Text 0.\n");
  for (let patch = 1; patch < 60; patch += 1) await registry.create(agent, `1.0.${patch}`, `Text ${patch}.\n`);
  const history = new HistoryPage(page);
  await history.open(agent, "?q=Text");
  await history.pick("1.0.55", "head").check();
  await history.steps.getByRole("button", { name: "Next page" }).click();
  await expect(history.carried).toHaveText("Chosen on another page: base 1.0.58 head 1.0.55");
  await expect(history.versions.last()).toHaveText("1.0.0");
  await history.pick("1.0.3", "base").check();
  await expect(history.carried.getByRole("radio", { name: "base" })).not.toBeChecked();
  await history.steps.getByRole("button", { name: "Newer page" }).click();
  await expect(history.carried).toHaveText("Chosen on another page: base 1.0.3");
  await expect(history.pick("1.0.55", "head")).toBeChecked();
  await auditThemes();
  await history.compare.click();
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/compare\\?base=1.0.3&head=1.0.55$`));
  await expect(new ComparisonPage(page).sides).toContainText(["1.0.3", "1.0.55"]);
});

test("a promotion marks its row, and stays on the filtered page", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\nThree.\n", { notes: "More." });
  const history = new HistoryPage(page);
  const promotion = new PromotionDialog(page);
  await history.open(agent, "?author=ada&sort=version");
  await history.promote("1.1.0").click();
  await expect(promotion.going).toContainText("1.0.0 → 1.1.0");
  await expect(promotion.size).toContainText("+2 −1 lines");
  await expect(promotion.dialog).toContainText("More.");
  await auditThemes();
  await promotion.author.fill("grace");
  await promotion.agree();
  await hydrated(page);
  await expect(page).toHaveURL(/author=ada/);
  await expect(page).toHaveURL(/sort=version/);
  await expect(history.done).toHaveCount(1);
  await expect(history.done).toContainText("1.1.0");
  await expect(history.status("1.1.0")).toContainText("active");
  await expect(history.status("1.0.0")).toContainText("superseded");
  await expect(new AgentHeader(page).header).toContainText("1.1.0");
});

test("an earlier text goes live as the next patch", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("\nOne.\r\n");
  await registry.release(agent, "1.1.0", "Two.\n");
  const history = new HistoryPage(page);
  const promotion = new PromotionDialog(page);
  await history.open(agent);
  await expect(history.promote("1.0.0")).toBeHidden();
  await history.fixForward("1.0.0").click();
  await expect(promotion.going).toContainText("1.1.0 → 1.1.1");
  await expect(promotion.dialog).toContainText("1.0.0 is below what is live, and nothing is rolled back");
  await auditThemes();
  await promotion.notes.fill("Back to the roots.");
  await promotion.author.fill("grace");
  await promotion.agree();
  await hydrated(page);
  expect(await registry.active(agent)).toEqual({ version: "1.1.1", text: "\nOne.\r\n" });
  await expect(history.done).toContainText("1.1.1");
  await expect(history.row("1.1.1")).toContainText("Back to the roots.");
  await expect(history.timeLine).toContainText(["1.1.1 live for", "1.1.0 was live for", "1.0.0 was live for"]);
  await expect(history.timeLine.first()).toContainText("by grace");
});

test("a question that others have answered meanwhile is asked anew", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  await registry.create(agent, "1.2.0", "Three.\n");
  const history = new HistoryPage(page);
  const promotion = new PromotionDialog(page);
  await history.open(agent);
  await history.promote("1.2.0").click();
  await expect(promotion.going).toContainText("1.0.0 → 1.2.0");
  await registry.promote(agent, "1.1.0");
  await promotion.confirm.click();
  await page.waitForURL(/refused=stale_base/);
  await expect(promotion.problem).toContainText("Another version went live while you looked.");
  await expect(promotion.going).toContainText("1.1.0 → 1.2.0");
  expect((await registry.active(agent)).version).toBe("1.1.0");
  await hydrated(page);
  await promotion.agree();
  expect((await registry.active(agent)).version).toBe("1.2.0");
});

test("a row says when, who and how much, and opens its version", async ({ page, registry }) => {
  const agent = await registry.agent("12345\n", { created_by: "ada" });
  await registry.create(agent, "1.1.0", "1234567890\n", { created_by: "grace", notes: "Twice." });
  const history = new HistoryPage(page);
  await history.open(agent);
  const row = history.row("1.1.0");
  await expect(row).toContainText("grace");
  await expect(row).toContainText("Twice.");
  await expect(row.locator("td[data-label=Characters]")).toHaveText("11 +5");
  // The exact time is there for a screen reader too.
  await expect(row.locator("time")).toHaveText(/^(just now|\d minutes? ago) \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)$/);
  await expect(row.locator("time")).toHaveAttribute("datetime", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  await expect(row.locator("time")).toHaveAttribute("title", / UTC$/);
  await row.getByRole("link", { name: "1.1.0", exact: true }).click();
  await expect(new VersionPage(page).text).toHaveText("1234567890\n");
});

test("the history of all agents has a filter for one", async ({ page, registry, auditThemes }) => {
  const word = registry.word();
  const [one, other] = [await registry.agent(`${word} one.\n`), await registry.agent(`${word} other.\n`)];
  const history = new HistoryPage(page);
  await history.open(undefined, `?q=${word}`);
  await expect(history.count).toHaveText("2 versions");
  await expect(page.locator("table.versions")).toContainText(one);
  await auditThemes();
  await history.filters.getByLabel("Agent").fill(other);
  await history.filters.getByRole("button", { name: "Filter" }).click();
  await expect(history.count).toHaveText("1 version");
  await expect(page.locator("table.versions")).not.toContainText(one);
  await expect(page).toHaveURL(new RegExp(`agent=${other}`));
});

test("a part of a name finds its agent, and one that is shared offers all of them", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  const history = new HistoryPage(page);
  await history.open(undefined, `?agent=${agent.slice(1)}`);
  await expect(history.count).toHaveText("1 version");
  await history.filters.getByLabel("Agent").fill("_dev");
  await history.filters.getByRole("button", { name: "Filter" }).click();
  await expect(page.getByText("There is no agent “_dev”")).toBeVisible();
  await hydrated(page);
  await auditThemes();
  await page.locator("main").getByRole("link", { name: "backend_dev", exact: true }).click();
  await expect(page).toHaveURL(/agent=backend/);
  await expect(page.locator("table.versions")).toContainText("backend_dev");
});

test("versions of two agents are compared from the history of all", async ({ page, registry }) => {
  const word = registry.word();
  const [one, other] = [await registry.agent(`${word} one.\n`), await registry.agent(`${word} other.\n`)];
  const history = new HistoryPage(page);
  await history.open(undefined, `?q=${word}`);
  await page.getByRole("radio", { name: `${one} 1.0.0 as the base` }).check();
  await page.getByRole("radio", { name: `${other} 1.0.0 as the head` }).check();
  await history.compare.click();
  const comparison = new ComparisonPage(page);
  await expect(comparison.sides).toContainText([one, "1.0.0"]);
  await expect(page).toHaveURL(new RegExp(`/agents/${other}/compare`));
});

test("a promotion in the history of all marks the row of its agent alone", async ({ page, registry }) => {
  const word = registry.word();
  const [one, other] = [await registry.agent(`${word} one.\n`), await registry.agent(`${word} other.\n`)];
  await registry.create(one, "1.1.0", `${word} one, again.\n`);
  await registry.create(other, "1.1.0", `${word} other, again.\n`);
  const history = new HistoryPage(page);
  await history.open(undefined, `?q=${word}`);
  await page.getByRole("row").filter({ hasText: one }).getByRole("link", { name: "Promote 1.1.0" }).click();
  await new PromotionDialog(page).agree();
  await hydrated(page);
  expect((await registry.active(one)).version).toBe("1.1.0");
  expect((await registry.active(other)).version).toBe("1.0.0");
  await expect(history.done).toHaveCount(1);
  await expect(history.done).toContainText(one);
  const ids = await page.locator("tr[id]").evaluateAll((rows) => rows.map((row) => row.id));
  expect(new Set(ids).size, "no two rows have the same id").toBe(ids.length);
});

test("the search of the overview finds words in live texts, drafts and notes", async ({ page, registry, auditThemes }) => {
  const word = registry.word();
  const agent = await registry.agent(`The ${word} is live.\n`);
  await registry.create(agent, "1.1.0", `The ${word} waits.\n`);
  await registry.create(agent, "1.2.0", "Nothing of it.\n", { notes: `About ${word} and <b>more</b>.` });
  const overview = new OverviewPage(page);
  await overview.open();
  const box = page.getByRole("searchbox", { name: "Search agents, prompts and notes" });
  await box.fill(word);
  await box.press("Enter");
  const found = page.getByRole("region", { name: /for “/ });
  await expect(found.getByRole("heading")).toHaveText(`3 places for “${word}”`);
  for (const [version, place] of [["1.0.0", "live prompt"], ["1.1.0", "draft"], ["1.2.0", "notes"]]) {
    await expect(found.getByRole("listitem").filter({ hasText: version })).toContainText(place as string);
  }
  await expect(found.locator("mark")).toHaveText([word, word, word]);
  await expect(found.locator("b"), "a text never becomes a part of the page").toHaveCount(0);
  await hydrated(page);
  await auditThemes();
  await found.getByRole("link", { name: `${agent} 1.1.0` }).click();
  await expect(new VersionPage(page).text).toHaveText(`The ${word} waits.\n`);
  await page.goto(`/?q=${agent}`);
  await expect(found.getByRole("listitem").first()).toContainText("agent");
  await page.goto(`/?q=${word}nowhere`);
  await expect(page.getByRole("heading", { name: `Nothing holds “${word}nowhere”` })).toBeVisible();
});
