// Two people write the same prompt: no edit is lost, and nobody overwrites the other.
import { expect, test } from "../fixtures.js";
import { EditorPage } from "../pages/editor.js";
import { VersionPage } from "../pages/version.js";

const LINES = ["# Role", "", "You review code.", "", "# Tone", "", "Be brief.", "", "# End", ""];
const BASE = LINES.join("\n");

/** The base with other lines in some places, counted from 1. */
function changed(lines: Record<number, string>): string {
  return LINES.map((line, index) => lines[index + 1] ?? line).join("\n");
}

// The browser reports the status of a page that says what stands in the way.
test.use({ expectedInConsole: [/status of (409|422)/] });

test("changes that do not collide are put together", async ({ page, otherPage, registry, auditThemes }) => {
  const agent = await registry.agent(BASE);
  const [mine, theirs] = [new EditorPage(page), new EditorPage(otherPage)];
  await mine.open(agent);
  await theirs.open(agent);
  await mine.replaceLine(3, "You review Rust code.");
  await mine.notes.fill("Only Rust.");
  await mine.author.fill("grace");
  await mine.bump("Minor").check();

  await theirs.replaceLine(7, "Be brief and kind.");
  await theirs.author.fill("edsger");
  await theirs.saveAndPromote.click();
  await new VersionPage(otherPage).saved(agent, "1.0.1");

  const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), mine.save.click()]);
  expect(answer.status()).toBe(409);
  await mine.ready();
  await expect(mine.conflict.getByRole("heading")).toHaveText(
    "edsger wrote 1.0.1 and made it live while you were writing from 1.0.0",
  );
  await expect(mine.conflict).toContainText("Both changes are together in the editor below.");
  await mine.conflict.getByText("Their change, 1.0.1").click();
  await expect(mine.conflict.locator(".added").filter({ visible: true })).toContainText("Be brief and kind.");
  await mine.conflict.getByText("Your change").click();
  await expect(mine.conflict.locator(".added").filter({ visible: true }).first()).toBeVisible();
  await expect(mine.conflict.locator(".added", { hasText: "You review Rust code." })).toBeVisible();
  await mine.conflict.getByText("The base, 1.0.0").click();
  await expect(mine.conflict.getByRole("region", { name: "Text of 1.0.0" })).toHaveText(BASE);
  for (const [name, path] of [
    ["Their version 1.0.1", "versions/1.0.1"],
    ["Your base 1.0.0", "versions/1.0.0"],
    ["Compare the whole texts", "compare?base=1.0.0&head=1.0.1"],
  ] as const) {
    await expect(mine.conflict.getByRole("link", { name })).toHaveAttribute("href", `/agents/${agent}/${path}`);
  }
  await auditThemes();

  await expect.poll(() => mine.lines()).toEqual(changed({ 3: "You review Rust code.", 7: "Be brief and kind." }).split("\n"));
  await expect(mine.notes).toHaveValue("Only Rust.");
  await expect(mine.author).toHaveValue("grace");
  await expect(mine.bump("Minor")).toBeChecked();
  await mine.save.click();
  await new VersionPage(page).saved(agent, "1.1.0");
  expect(await registry.text(agent, "1.1.0")).toBe(changed({ 3: "You review Rust code.", 7: "Be brief and kind." }));
  expect((await registry.active(agent)).version).toBe("1.0.1");
});

test("changes that collide have marks, which the writer settles", async ({ page, otherPage, registry, auditThemes }) => {
  const agent = await registry.agent(BASE);
  const [mine, theirs] = [new EditorPage(page), new EditorPage(otherPage)];
  await mine.open(agent);
  await theirs.open(agent);
  await mine.replaceLine(7, "Be very brief.");
  await mine.notes.fill("Briefer.");
  await theirs.replaceLine(7, "Be kind.");
  await theirs.saveAndPromote.click();
  await new VersionPage(otherPage).saved(agent, "1.0.1");

  await mine.save.click();
  await expect(mine.conflict).toContainText("There is one place where both changed the same lines");
  await mine.ready();
  const marked = changed({ 7: "<<<<<<< yours\nBe very brief.\n=======\nBe kind.\n>>>>>>> 1.0.1" });
  await expect.poll(() => mine.lines()).toEqual(marked.split("\n"));
  await auditThemes();

  const [refused] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === "POST"),
    mine.saveAndPromote.click(),
  ]);
  expect(refused.status()).toBe(422);
  await mine.ready();
  await expect(mine.textProblem).toContainText("Line 7 still has the marks of a conflict.");
  await expect.poll(() => mine.lines()).toEqual(marked.split("\n"));
  await expect(mine.notes).toHaveValue("Briefer.");
  await auditThemes();

  await mine.replace(changed({ 7: "Be very brief, and kind." }));
  await mine.saveAndPromote.click();
  await new VersionPage(page).saved(agent, "1.0.2");
  expect(await registry.active(agent)).toEqual({ version: "1.0.2", text: changed({ 7: "Be very brief, and kind." }) });
});

test("a draft that somebody saved meanwhile is a conflict too", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.replaceLine(3, "You review Rust code.");
  await registry.create(agent, "1.0.1", changed({ 7: "Be kind." }), { created_by: "edsger" });
  await editor.save.click();
  await expect(editor.conflict.getByRole("heading")).toHaveText("edsger wrote 1.0.1 and saved it while you were writing from 1.0.0");
  await editor.ready();
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.2");
  expect(await registry.text(agent, "1.0.2")).toBe(changed({ 3: "You review Rust code.", 7: "Be kind." }));
});

test("a draft that is restored after somebody promoted is a conflict, not an overwrite", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  page.on("dialog", (dialog) => dialog.accept());
  await editor.open(agent);
  await editor.replaceLine(3, "You review Rust code.");
  await expect(editor.kept).toHaveText("Not saved; this browser keeps a draft.");
  await registry.release(agent, "1.0.1", changed({ 7: "Be kind." }));
  await page.reload();
  await editor.ready();
  await expect(editor.from).toHaveValue("1.0.1");
  await editor.restore();
  // The page of the draft's base: what is chosen, what the changes are counted from and the address say the same.
  await page.waitForURL((url) => url.search === "?from=1.0.0");
  await editor.ready();
  await expect(editor.from).toHaveValue("1.0.0");
  await expect(page.locator("input[name=base]")).toHaveValue("1.0.0");
  await expect.poll(() => editor.lines()).toEqual(changed({ 3: "You review Rust code." }).split("\n"));
  await expect(editor.draft).toBeHidden();
  await expect(editor.kept).toHaveText("Not saved; this browser keeps a draft.");
  await editor.save.click();
  await expect(editor.conflict).toContainText("while you were writing from 1.0.0");
  await editor.ready();
  await expect.poll(() => editor.lines()).toEqual(changed({ 3: "You review Rust code.", 7: "Be kind." }).split("\n"));
});

test("texts of CR LF are merged as such", async ({ page, registry }) => {
  const long = (text: string) => text.replaceAll("\n", "\r\n");
  const agent = await registry.agent(long(BASE));
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.replaceLine(3, "You review Rust code.");
  await registry.release(agent, "1.0.1", long(changed({ 7: "Be kind." })));
  await editor.save.click();
  await expect(editor.conflict).toContainText("Both changes are together");
  await editor.ready();
  await editor.saveAndPromote.click();
  await new VersionPage(page).saved(agent, "1.0.2");
  expect((await registry.active(agent)).text).toBe(long(changed({ 3: "You review Rust code.", 7: "Be kind." })));
});

test("a conflict names who promoted, not only who wrote", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  await registry.create(agent, "1.1.0", changed({ 7: "Be kind." }), { created_by: "alice" });
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.replaceLine(3, "You review Rust code.");
  await registry.promote(agent, "1.1.0", "bob");
  await editor.save.click();
  await expect(editor.conflict.getByRole("heading")).toHaveText(
    "bob made 1.1.0, which alice wrote, live while you were writing from 1.0.0",
  );
  await editor.ready();
});

test("a prompt that is about conflict marks is saved", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  const editor = new EditorPage(page);
  const text = "Settle these:\n<<<<<<< yours\na\n=======\nb\n>>>>>>> 1.0.1\n";
  await editor.open(agent);
  await editor.replace(text);
  await editor.save.click();
  await new VersionPage(page).saved(agent, "1.0.1");
  expect(await registry.text(agent, "1.0.1")).toBe(text);
});

test("whoever goes back behind what is live is given only what happened since", async ({ page, registry }) => {
  const agent = await registry.agent(BASE);
  await registry.release(agent, "1.1.0", changed({ 3: "You review Go code." }), { base_version: "1.0.0" });
  const editor = new EditorPage(page);
  await editor.open(agent, "1.0.0");
  await editor.replaceLine(1, "# Task");
  await registry.release(agent, "1.2.0", changed({ 3: "You review Go code.", 7: "Be kind." }), { base_version: "1.1.0" });
  await editor.save.click();
  await expect(editor.conflict).toContainText("Both changes are together");
  await editor.conflict.getByText("Their change, 1.2.0, against 1.1.0").click();
  await expect(editor.conflict.locator(".added").filter({ visible: true })).toHaveCount(1);
  await expect(editor.conflict.locator(".added").filter({ visible: true })).toContainText("Be kind.");
  await expect(editor.conflict.getByRole("link", { name: "Their base 1.1.0" })).toBeVisible();
  await editor.ready();
  await expect.poll(() => editor.lines()).toEqual(changed({ 1: "# Task", 7: "Be kind." }).split("\n"));
  await editor.saveAndPromote.click();
  await new VersionPage(page).saved(agent, "1.2.1");
  expect((await registry.active(agent)).text).toBe(changed({ 1: "# Task", 7: "Be kind." }));
});
