// The main job: a prompt is edited, saved, compared and promoted, and agents are served it word for word.
import { expect, test } from "../fixtures.js";
import { AgentHeader } from "../pages/agent-header.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { OverviewPage } from "../pages/overview.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";
import { hydrated } from "../pages/hydrated.js";

const BASE = "# Role\n\nYou review {{language}} code.\n\nBe brief.\n";

test("an edit goes live: from the overview through editor, comparison and question to the API", async ({
  page,
  registry,
  auditThemes,
}) => {
  const agent = await registry.agent(BASE);
  const overview = new OverviewPage(page);
  await overview.open();
  await overview.row(agent).getByRole("link", { name: agent, exact: true }).click();
  const header = new AgentHeader(page);
  await expect(header.header).toContainText("1.0.0");
  await header.tab("Edit").click();

  const editor = new EditorPage(page);
  await editor.ready();
  await expect(editor.size).toContainText("49 characters · 8 words · 5 lines");
  await expect(editor.size).toContainText("language");
  await editor.append("Write in a {{tone}} tone.");
  await expect(editor.size).toContainText("74 characters · 13 words · 6 lines");
  await expect(editor.size).toContainText("language, tone");
  await expect(editor.kept).toHaveText("Not saved; this browser keeps a draft.");

  await editor.tab("Changes").click();
  await expect(editor.panel.getByRole("status")).toHaveText("1 line added, 0 removed against 1.0.0.");
  await expect(editor.panel.locator(".added")).toContainText("Write in a {{tone}} tone.");
  await auditThemes();

  await editor.tab("Preview").click();
  await expect(editor.panel.getByRole("heading", { name: "Role" })).toBeVisible();
  await expect(editor.value("language")).toHaveAttribute("aria-invalid", "true");
  await expect(editor.value("tone")).toHaveAccessibleDescription("Missing: agents would be refused");
  await editor.value("language").fill("Rust");
  await editor.value("language").blur();
  await expect(editor.panel.getByRole("article", { name: "Preview" })).toContainText("You review Rust code.");
  await expect(editor.value("language")).not.toHaveAttribute("aria-invalid");
  await expect(editor.value("tone")).toHaveAttribute("aria-invalid", "true");
  await auditThemes();

  await editor.tab("Write").click();
  await auditThemes();
  await expect(page.getByText("Minor 1.1.0")).toBeVisible();
  await editor.bump("Minor").check();
  await editor.notes.fill("Says in which tone.");
  await editor.author.fill("grace");
  await editor.text.press("Control+Enter");

  const version = new VersionPage(page);
  await version.saved(agent, "1.1.0");
  await expect(version.text).toHaveText(`${BASE}Write in a {{tone}} tone.`);
  await expect(version.title).toContainText("draft");
  await expect(version.about).toContainText("Says in which tone.");
  await expect(version.about).toContainText("by grace");
  expect(await registry.active(agent)).toEqual({ version: "1.0.0", text: BASE });
  await auditThemes();

  await version.compare.click();
  const comparison = new ComparisonPage(page);
  await expect(comparison.summary).toHaveText("1 line added · 0 removed");
  await expect(comparison.table.locator(".added")).toContainText("Write in a {{tone}} tone.");
  await expect(comparison.figures).toContainText(/added\s*tone/);
  await auditThemes();

  await page.getByRole("link", { name: "Promote 1.1.0" }).click();
  const promotion = new PromotionDialog(page);
  await expect(promotion.going).toContainText("1.0.0 → 1.1.0");
  await expect(promotion.size).toContainText("+1 −0 line · +25 characters");
  await expect(promotion.difference).toHaveAttribute("href", `/agents/${agent}/compare?base=1.0.0&head=1.1.0`);
  await expect(promotion.author).toHaveValue("grace");
  await auditThemes();
  await promotion.agree();
  await hydrated(page);
  await expect(promotion.dialog).toBeHidden();
  await expect(header.header).toContainText("1.1.0");
  expect(await registry.active(agent)).toEqual({ version: "1.1.0", text: `${BASE}Write in a {{tone}} tone.` });
});

for (const [name, base, written] of [
  ["every line ends with CR LF", "One\r\nTwo\r\n", "One\r\nTwo\r\nThree"],
  ["that begins with a blank line", "\nOne\n", "\nOne\nThree"],
  ["that begins with blank lines that end with CR LF", "\r\n\r\nOne\r\n", "\r\n\r\nOne\r\nThree"],
  ["that looks like a page", "<b>&amp;</textarea>\n", "<b>&amp;</textarea>\nThree"],
] as const) {
  test(`a text ${name} is kept word for word`, async ({ page, registry }) => {
    const agent = await registry.agent(base);
    const editor = new EditorPage(page);
    await editor.open(agent);
    await expect(editor.kept).toHaveText("Nothing is written yet.");
    await editor.append("Three");
    await editor.saveAndPromote.click();
    await new VersionPage(page).saved(agent, "1.0.1");
    expect(await registry.active(agent)).toEqual({ version: "1.0.1", text: written });
  });
}

test("a new agent begins with 1.0.0, as a draft", async ({ page, registry, auditThemes }) => {
  const agent = registry.name();
  const overview = new OverviewPage(page);
  await overview.open();
  await page.locator(".page-head").getByRole("link", { name: "New agent" }).click();
  const editor = new EditorPage(page);
  await editor.ready();
  await auditThemes();
  await editor.agentType.fill(agent);
  await editor.append("You plan.");
  await editor.author.fill("grace");
  await editor.save.click();

  const version = new VersionPage(page);
  await version.saved(agent, "1.0.0");
  expect(await registry.text(agent, "1.0.0")).toBe("You plan.");
  await expect(new AgentHeader(page).header).toContainText("Nothing is live yet");
  await version.promote.click();
  const promotion = new PromotionDialog(page);
  await expect(promotion.going).toContainText("Nothing is live yet; agents will be served 1.0.0");
  await promotion.agree();
  expect(await registry.active(agent)).toEqual({ version: "1.0.0", text: "You plan." });
});

test("save and promote is one step, and the name is remembered", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await editor.author.fill("Grace Høpper; the 1st");
  await editor.bump("Major").check();
  await editor.saveAndPromote.click();
  const version = new VersionPage(page);
  await version.saved(agent, "2.0.0");
  await expect(version.title).toContainText("active");
  expect(await registry.active(agent)).toEqual({ version: "2.0.0", text: `${BASE}Be kind.` });
  await editor.open(agent);
  await expect(editor.author).toHaveValue("Grace Høpper; the 1st");
});

test("an equal text is saved only by who was told", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  await editor.open(agent);
  await expect(editor.same).toHaveText("The text is that of 1.0.0: saved now, two versions have the same text.");
  await editor.append("x");
  await expect(editor.same).toBeHidden();
  await page.keyboard.press("Backspace");
  await expect(editor.same).toBeVisible();
});

for (const [name, base] of [
  ["every line ends with CR LF", "One\r\nTwo\r\n"],
  ["lines end in two ways", "One\r\nTwo\nThree\r\n"],
] as const) {
  test(`a text in which ${name} differs in nothing until it is changed`, async ({ page, registry }) => {
    const agent = await registry.agent(base);
    const editor = new EditorPage(page);
    await editor.open(agent);
    const size = await editor.size.textContent();
    await editor.tab("Changes").click();
    await expect(editor.panel.getByRole("status")).toHaveText("Nothing differs from 1.0.0.");
    await editor.tab("Write").click();
    await editor.notes.fill("The same again.");
    await expect(editor.kept).toHaveText("Not saved; this browser keeps a draft.");
    await expect(editor.size).toHaveText(size ?? "");
    await editor.save.click();
    await new VersionPage(page).saved(agent, "1.0.1");
    expect(await registry.text(agent, "1.0.1")).toBe(base);
  });
}

test("the Enter key in a field saves", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await editor.author.fill("grace");
  await editor.author.press("Enter");
  await new VersionPage(page).saved(agent, "1.0.1");
  expect(await registry.text(agent, "1.0.1")).toBe(`${BASE}Be kind.`);
});

test("any version can be edited from, and the numbers follow", async ({ page, registry }) => {
  const agent = await registry.agent("First.\n");
  await registry.release(agent, "1.1.0", "Second.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await expect.poll(() => editor.lines()).toEqual(["Second.", ""]);
  await expect(editor.from.locator("option")).toHaveText(["1.1.0 (active)", "1.0.0 (superseded)"]);
  await expect(editor.from).toHaveValue("1.1.0");
  await editor.from.selectOption("1.0.0");
  await page.getByRole("button", { name: "Start from it" }).click();
  await page.waitForURL(/from=1\.0\.0/);
  await editor.ready();
  await expect.poll(() => editor.lines()).toEqual(["First.", ""]);
  await expect(page.getByText("Patch 1.1.1")).toBeVisible();
  await editor.append("Third.");
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.1.1");
  expect(await registry.text(agent, "1.1.1")).toBe("First.\nThird.");
});

test("the prompt is copied to the clipboard and shown raw, to the letter", async ({ page, context, registry }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const text = "\n  One\r\n\tTwo <b>\n";
  const agent = await registry.agent(text);
  const version = new VersionPage(page);
  await version.open(agent, "1.0.0");
  await version.copy.click();
  await expect(version.copy).toHaveText("Copied");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(text);
  const [raw] = await Promise.all([page.waitForResponse("**/raw"), version.raw.click()]);
  expect(raw.headers()["content-type"]).toContain("text/plain");
  expect(await raw.text()).toBe(text);
});
