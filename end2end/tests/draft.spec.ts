// What is written survives until it is saved or given up.
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { AgentHeader } from "../pages/agent-header.js";
import { EditorPage } from "../pages/editor.js";
import { VersionPage } from "../pages/version.js";

const KEPT = "Not saved; this browser keeps a draft.";

/** Does something that leaves the page, and answers the browser's question. */
async function leaving(page: Page, answer: "stay" | "leave", act: () => Promise<unknown>): Promise<string> {
  const asked = page.waitForEvent("dialog");
  const acted = act();
  const dialog = await asked;
  const type = dialog.type();
  await (answer === "leave" ? dialog.accept() : dialog.dismiss());
  await acted;
  return type;
}

test("a text that was not saved is offered back, restored and saved", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await expect(editor.draft).toBeHidden();
  await editor.append("Be kind.");
  await editor.notes.fill("Kinder.");
  await editor.append(" Be calm.");
  await expect(editor.size).toContainText("6 words");
  await expect(editor.kept).toHaveText(KEPT);
  expect(await leaving(page, "leave", () => page.reload())).toBe("beforeunload");

  await editor.ready();
  await expect(editor.draft).toContainText("You wrote on this a moment ago, from 1.0.0, and did not save it.");
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", ""]);
  await auditThemes();
  await editor.draft.getByRole("button", { name: "Restore it" }).click();
  await expect(editor.draft).toBeHidden();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind. Be calm."]);
  await expect(editor.notes).toHaveValue("Kinder.");
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.1");
  expect(await registry.text(agent, "1.0.1")).toBe("Be brief.\nBe kind. Be calm.");

  await editor.open(agent);
  await expect(editor.kept).toHaveText("Nothing is written yet.");
  await expect(editor.draft).toBeHidden();
});

test("notes that are written after the text are kept as well", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  await editor.notes.fill("Written after the text.");
  await leaving(page, "leave", () => page.reload());
  await editor.ready();
  await editor.draft.getByRole("button", { name: "Restore it" }).click();
  await expect(editor.notes).toHaveValue("Written after the text.");
});

test("a draft that is discarded does not come back", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.reload());
  await editor.ready();
  await editor.draft.getByRole("button", { name: "Discard it" }).click();
  await expect(editor.draft).toBeHidden();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", ""]);
  await page.reload();
  await editor.ready();
  await expect(editor.kept).toHaveText("Nothing is written yet.");
  await expect(editor.draft).toBeHidden();
});

test("leaving with unsaved text asks, by a link of the site too", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  const history = new AgentHeader(page).tab("History");
  expect(await leaving(page, "stay", () => history.click({ noWaitAfter: true }))).toBe("beforeunload");
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/edit$`));
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind."]);
  await leaving(page, "leave", () => history.click({ noWaitAfter: true }));
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}$`));
  await editor.open(agent);
  await expect(editor.draft).toBeVisible();
});

test("a text that was not changed is left without a question", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    return dialog.accept();
  });
  await editor.open(agent);
  await editor.text.focus();
  await page.keyboard.press("Control+End");
  await new AgentHeader(page).tab("History").click();
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}$`));
  expect(asked).toEqual([]);
});

// The browser reports the status of the page that says what stands in the way.
test.describe("after a conflict", () => {
  test.use({ expectedInConsole: [/status of 409/] });

  test("a refused text is asked about as well", async ({ page, registry }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await registry.release(agent, "1.0.1", "Be kind.\n");
    await editor.append("Be calm.");
    await editor.save.click();
    await editor.ready();
    await expect(editor.conflict).toBeVisible();
    await editor.text.press("End");
    const history = new AgentHeader(page).tab("History");
    expect(await leaving(page, "stay", () => history.click({ noWaitAfter: true }))).toBe("beforeunload");
  });
});

test("the text of a new agent is offered back too", async ({ page }) => {
  const editor = new EditorPage(page);
  await editor.open();
  await editor.append("You plan.");
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.reload());
  await editor.ready();
  await editor.draft.getByRole("button", { name: "Restore it" }).click();
  await expect.poll(() => editor.lines()).toEqual(["You plan."]);
});
