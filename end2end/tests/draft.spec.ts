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
  await expect(editor.draft).toContainText(/You wrote on this (a moment|\d minutes?) ago, from 1\.0\.0, and did not save it\./);
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", ""]);
  await auditThemes();
  await editor.restore();
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
  await editor.restore();
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
    await expect(editor.conflict).toBeVisible();
    await editor.ready();
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
  await editor.restore();
  await expect.poll(() => editor.lines()).toEqual(["You plan."]);
});

/** Opens the editor of an agent in another tab of the same browser. */
async function otherTab(page: Page, agent: string): Promise<EditorPage> {
  const editor = new EditorPage(await page.context().newPage());
  await editor.open(agent);
  return editor;
}

test("an address that says what was saved deletes no other draft", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  const version = new VersionPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  const saved = page.waitForRequest((request) => request.url().includes("?saved="));
  await editor.save.click();
  const address = (await saved).url();
  await version.saved(agent, "1.0.1");
  // A reload and a copied address say nothing of it any more.
  await expect(page).toHaveURL(new RegExp(`/agents/${agent}/versions/1\\.0\\.1$`));

  await editor.open(agent);
  await editor.append("Be calm.");
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.goto(address));
  await version.saved(agent, "1.0.1");
  await page.goto(`/agents/${agent}/versions/1.0.1?saved=${agent}`);
  await version.saved(agent, "1.0.1");
  await editor.open(agent);
  await editor.restore();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be calm."]);
});

test("writing before the offer is answered costs neither text", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.reload());
  await editor.ready();
  await expect(editor.draft).toBeVisible();
  await editor.append("Be calm.");
  await expect(editor.kept).toHaveText(KEPT);
  await editor.restore();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind."]);
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.1");

  await editor.open(agent, "1.0.0");
  await expect(editor.draft).toBeVisible();
  await editor.restore();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be calm."]);
});

test("notes, a name and a number alone are offered back", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  for (const write of [
    // Keys, because a browser asks only those who did something on the page.
    () => editor.notes.pressSequentially("Only notes."),
    () => editor.author.pressSequentially("grace"),
    () => editor.bump("Major").check(),
  ]) {
    await editor.open(agent);
    await expect(editor.draft).toBeHidden();
    await write();
    await expect(editor.kept).toHaveText(KEPT);
    await leaving(page, "leave", () => page.goto(`/agents/${agent}`));
    await editor.open(agent);
    await editor.draft.getByRole("button", { name: "Discard it" }).click();
    await expect(editor.draft).toBeHidden();
  }
  await editor.notes.fill("Only notes.");
  await editor.author.fill("grace");
  await editor.bump("Major").check();
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.goto(`/agents/${agent}`));
  await editor.open(agent);
  await editor.restore();
  await expect(editor.notes).toHaveValue("Only notes.");
  await expect(editor.author).toHaveValue("grace");
  await expect(editor.bump("Major")).toBeChecked();
});

test("two tabs keep a draft each", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  const other = await otherTab(page, agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  await other.append("Be calm.");
  await expect(other.kept).toHaveText(KEPT);
  await editor.append(" Very.");
  await expect(editor.size).toContainText("5 words");
  await expect(editor.kept).toHaveText(KEPT);

  const third = await otherTab(page, agent);
  await expect(third.draft).toContainText("Beside it: 1 older draft.");
  const discard = third.draft.getByRole("button", { name: "Discard it" });
  await discard.click();
  await expect(third.draft).not.toContainText("Beside it");
  await discard.click();
  await expect(third.draft).toBeHidden();
});

test("a draft of more than 30 days ago is dropped", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await expect(editor.kept).toHaveText(KEPT);
  await leaving(page, "leave", () => page.goto(`/agents/${agent}`));
  const drafts = (days: number) =>
    page.evaluate(
      ([prefix, seconds]) => {
        const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
        for (const key of keys) {
          const draft = JSON.parse(localStorage.getItem(key) ?? "{}");
          localStorage.setItem(key, JSON.stringify({ ...draft, at: String(Number(draft.at) - seconds) }));
        }
        return keys.length;
      },
      [`verbatim.draft.${agent}.`, days * 86_400] as const,
    );
  expect(await drafts(29)).toBe(1);
  await editor.open(agent);
  await expect(editor.draft).toBeVisible();
  expect(await drafts(2)).toBe(1);
  await editor.open(agent);
  await expect(editor.kept).toHaveText("Nothing is written yet.");
  await expect(editor.draft).toBeHidden();
  expect(await drafts(0)).toBe(0);
});

/** Does from now on what a browser does that comes back to a page: the value is not what the server sent. */
async function comingBackWith(page: Page, text: string): Promise<void> {
  await page.addInitScript((text) => {
    document.addEventListener("readystatechange", () => {
      if (document.readyState !== "interactive") return;
      const area = document.querySelector<HTMLTextAreaElement>("textarea[name=text]");
      if (area) area.value = text;
    });
  }, text);
}

test("a text that the browser writes back into the page counts as not saved", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await comingBackWith(page, "Be brief.\nWritten before.");
  await editor.open(agent);
  await expect(editor.kept).toHaveText(KEPT);
  await expect(editor.size).toContainText("4 words");
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Written before."]);
  // A browser asks only those who did something on the page.
  await editor.text.press("End");
  expect(await leaving(page, "leave", () => page.reload())).toBe("beforeunload");
  // It is one draft, however often the page comes back.
  await editor.ready();
  await expect(editor.kept).toHaveText(KEPT);
  await expect(editor.draft).toBeHidden();
});

test("going back after saving makes no draft of what is saved", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.append("Be kind.");
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.1");
  await comingBackWith(page, "Be brief.\nBe kind.");
  await page.goBack();
  await editor.ready();
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind."]);
  await expect(editor.kept).toHaveText("Nothing is written yet.");
  const other = await otherTab(page, agent);
  await expect(other.kept).toHaveText("Nothing is written yet.");
  await expect(other.draft).toBeHidden();

  // What is written on from there is not saved.
  await editor.append(" Be calm.");
  await expect(editor.kept).toHaveText(KEPT);
  const third = await otherTab(page, agent);
  await third.restore();
  await expect.poll(() => third.lines()).toEqual(["Be brief.", "Be kind. Be calm."]);
});
