// Whatever is wrong with what a form sends: it is said at the field, nothing is lost, and programs see it by the status.
import type { Page, Response } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

// The browser reports the status of a page that says what is wrong.
test.use({ expectedInConsole: [/status of (400|404|422)/] });

/** Takes away what the browser would check before it sends a form, as somebody with a program of their own has it. */
async function unchecked(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const form of document.forms) form.noValidate = true;
    for (const field of document.querySelectorAll("[maxlength]")) field.removeAttribute("maxlength");
  });
}

/** Sends the editor's form, which is to be refused. */
async function refused(page: Page, editor: EditorPage): Promise<Response> {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === "POST"),
    editor.save.click(),
  ]);
  await editor.ready();
  return answer;
}

test.describe("the editor", () => {
  test("refuses a blank prompt", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.replace("   ");
    await editor.notes.fill("Blank & <b>bold</b>.");
    await editor.author.fill("grace");
    await editor.bump("Major").check();
    expect((await refused(page, editor)).status()).toBe(422);
    await expect(editor.textProblem).toContainText("The prompt is empty.");
    await expect.poll(() => editor.lines()).toEqual(["   "]);
    await expect(editor.notes).toHaveValue("Blank & <b>bold</b>.");
    await expect(editor.author).toHaveValue("grace");
    await expect(editor.bump("Major")).toBeChecked();
    await auditThemes();
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
    await editor.replace("Be kind.\n");
    await editor.save.click();
    await new VersionPage(page).saved(agent, "2.0.0");
  });

  test("refuses notes that are too long", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await unchecked(page);
    await editor.append("Be kind.");
    await editor.notes.fill("é".repeat(2001));
    expect((await refused(page, editor)).status()).toBe(422);
    await expect(page.locator(".field.wrong", { has: editor.notes })).toContainText("longer than 2,000 characters");
    await expect(editor.notes).toHaveValue("é".repeat(2001));
    await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind."]);
    await auditThemes();
  });

  test("refuses an author with a control character", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.append("Be kind.");
    await editor.author.fill("gra\u0007ce");
    expect((await refused(page, editor)).status()).toBe(422);
    await expect(page.locator(".field.wrong", { has: editor.author })).toContainText("holds a control character");
    await expect(editor.author).toHaveValue("gra\u0007ce");
    await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kind."]);
    await auditThemes();
  });

  test("says that a version to start from does not exist, and lets another be chosen", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    for (const [version, status, said] of [["9.9.9", 404, "has no version 9.9.9"], ["nine", 400, "is not a version"]] as const) {
      const answer = await page.goto(`/agents/${agent}/edit?from=${version}`);
      expect(answer?.status()).toBe(status);
      await hydrated(page);
      await expect(page.getByRole("alert")).toContainText(said);
      await auditThemes();
      await expect(editor.from).toHaveValue(version);
    }
    await editor.from.fill("1.0.0");
    await page.getByRole("button", { name: "Start from it" }).click();
    await editor.ready();
    await expect.poll(() => editor.lines()).toEqual(["Be brief.", ""]);
  });

  test("says that a prompt is too long before it is sent, and loses nothing", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    const sent: string[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/edit")) sent.push(request.url());
    });
    await editor.paste(`${"😀".repeat(60)}\n`.repeat(6000));
    await expect.poll(async () => (await editor.lines()).join("\n")).toContain("😀");
    await editor.notes.fill("Much.");
    await editor.save.click();
    await expect(editor.textProblem).toContainText(/The prompt has 1\s446\s000 bytes; at most 1\s048\s576 \(1 MiB of UTF-8\) are kept\./);
    expect(sent).toEqual([]);
    await auditThemes();
    await expect(editor.notes).toHaveValue("Much.");
    await editor.replace("Be kind.");
    await expect(editor.textProblem).toBeHidden();
    await editor.save.click();
    await new VersionPage(page).saved(agent, "1.0.1");
    expect(await registry.text(agent, "1.0.1")).toBe("Be kind.");
  });

  test("answers a form that cannot be read with a page", async ({ request, registry }) => {
    const agent = await registry.agent("Be brief.\n");
    const form = { text: "x".repeat(8 * 1024 * 1024), base: "1.0.0", seen_active: "1.0.0", seen_newest: "1.0.0", bump: "patch" };
    const long = await request.post(`/agents/${agent}/edit`, { form });
    expect(long.status()).toBe(413);
    const page = await long.text();
    expect(page).toContain("Nothing was saved: what was sent is much longer than a prompt can be");
    expect(page).toContain("<main");
    for (const what of ["promote", "reissue"]) {
      const answer = await request.post(`/agents/%0d%0aX/${what}`, { form: { version: "1.0.0" }, maxRedirects: 0 });
      expect(answer.status()).toBe(400);
      expect(await answer.text()).toContain("is not an agent type");
    }
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
  });

  test("refuses what is no form, and a prompt that is too long", async ({ request, registry }) => {
    const agent = await registry.agent("Be brief.\n");
    const answer = await request.post(`/agents/${agent}/edit`, { data: { text: "Be kind." } });
    expect(answer.status()).toBe(415);
    const form = { text: "x".repeat(1024 * 1024 + 1), base: "1.0.0", seen_active: "1.0.0", seen_newest: "1.0.0", bump: "patch" };
    const long = await request.post(`/agents/${agent}/edit`, { form });
    expect(long.status()).toBe(422);
    expect(await long.text()).toContain("at most 1048576 (1 MiB of UTF-8) are kept");
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
  });
});

test.describe("a new agent", () => {
  for (const [name, said] of [
    ["Not a name", "does not start with a lower-case letter"],
    ["a-b", "holds a character that is not allowed"],
    ["a".repeat(51), "is too long"],
    ["versions", "is a word of the API's own paths"],
    ["", "is empty"],
  ] as const) {
    test(`is not called “${name.slice(0, 12)}”`, async ({ page, auditThemes }) => {
      const editor = new EditorPage(page);
      await editor.open();
      await unchecked(page);
      await editor.agentType.fill(name);
      await editor.append("You plan.");
      await editor.notes.fill("Begins.");
      expect((await refused(page, editor)).status()).toBe(422);
      await expect(page.locator(".field.wrong", { has: editor.agentType })).toContainText(said);
      await expect(editor.agentType).toHaveAttribute("aria-invalid", "true");
      await expect(editor.agentType).toHaveAccessibleDescription(new RegExp(said));
      await expect(editor.agentType).toHaveValue(name);
      await expect(editor.notes).toHaveValue("Begins.");
      await expect.poll(() => editor.lines()).toEqual(["You plan."]);
      await auditThemes();
    });
  }

  test("does not take the name of another", async ({ page, registry }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    await editor.open();
    await editor.agentType.fill(agent);
    await editor.append("You plan.");
    expect((await refused(page, editor)).status()).toBe(422);
    await expect(page.locator(".field.wrong", { has: editor.agentType })).toContainText(`There is an agent ${agent} already.`);
    await expect.poll(() => editor.lines()).toEqual(["You plan."]);
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
  });
});

test.describe("the question before a promotion", () => {
  test("refuses an author with a control character, and keeps what was written", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("One.\n");
    await registry.release(agent, "1.1.0", "Two.\n");
    const history = new HistoryPage(page);
    const promotion = new PromotionDialog(page);
    await history.open(agent);
    await history.fixForward("1.0.0").click();
    await promotion.notes.fill("It was better.");
    await promotion.author.fill("gra\u0007ce");
    await promotion.confirm.click();
    await page.waitForURL(/\/reissue$/);
    await hydrated(page);
    await expect(promotion.problem).toContainText("name holds a control character");
    await auditThemes();
    expect((await registry.active(agent)).version).toBe("1.1.0");
    await expect(promotion.author).toHaveValue("gra\u0007ce");
    await expect(promotion.notes).toHaveValue("It was better.");
  });

  test("refuses a name and notes that are too long", async ({ page, registry }) => {
    const agent = await registry.agent("One.\n");
    await registry.release(agent, "1.1.0", "Two.\n");
    const history = new HistoryPage(page);
    const promotion = new PromotionDialog(page);
    for (const [field, length, said] of [["author", 101, "longer than 100 characters"], ["notes", 2001, "longer than 2,000 characters"]] as const) {
      await history.open(agent);
      await history.fixForward("1.0.0").click();
      await promotion.dialog.waitFor();
      await unchecked(page);
      await promotion[field].fill("x".repeat(length));
      await promotion.confirm.click();
      await page.waitForURL(/\/reissue$/);
      await expect(promotion.problem).toContainText(said);
    }
    expect((await registry.active(agent)).version).toBe("1.1.0");
  });

  test("says that a version does not exist, or is live already", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent("One.\n");
    for (const [version, said] of [["9.9.9", "This cannot go live"], ["nine", "This cannot go live"], ["1.0.0", "1.0.0 is live already"]]) {
      await page.goto(`/agents/${agent}?promote=${version}`);
      await hydrated(page);
      const dialog = page.getByRole("dialog", { name: said as string });
      await expect(dialog).toBeVisible();
      await auditThemes();
      await dialog.getByRole("link", { name: "Close" }).click();
      await expect(dialog).toBeHidden();
    }
  });

  test("leads back to a page of this site, whatever it is told", async ({ request, registry }) => {
    const agent = await registry.agent("One.\n");
    for (const back of ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/\t/evil.example/", "javascript:alert(1)", "/a\r\nset-cookie: x=y", ""]) {
      for (const version of ["1.0.0", "9.9.9"]) {
        const form = { version, expected_active: "1.0.0", back, author: "grace" };
        const answer = await request.post(`/agents/${agent}/promote`, { form, maxRedirects: 0 });
        expect(answer.status(), back).toBe(303);
        expect(answer.headers()["location"], back).toMatch(new RegExp(`^/agents/${agent}\\?`));
        expect(answer.headers()["set-cookie"] ?? "", back).not.toContain("x=y");
      }
    }
    const form = { version: "1.0.0", expected_active: "1.0.0", back: `/agents/${agent}/compare?base=1.0.0`, author: "grace" };
    const answer = await request.post(`/agents/${agent}/promote`, { form, maxRedirects: 0 });
    expect(answer.headers()["location"]).toBe(`/agents/${agent}/compare?base=1.0.0&done=1.0.0`);
  });
});

test("a comparison with a version that does not exist says so, and lets another be chosen", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  const comparison = new ComparisonPage(page);
  for (const [base, status, said] of [
    ["9.9.9", 404, "has no version 9.9.9"],
    ["nine", 400, "is not a version"],
    ["nobody_here@1.0.0", 404, "nobody_here"],
    ["Bad Name@1.0.0", 400, "is not an agent type"],
  ] as const) {
    const answer = await page.goto(`/agents/${agent}/compare?base=${encodeURIComponent(base)}&head=1.1.0`);
    expect(answer?.status(), base).toBe(status);
    await hydrated(page);
    await expect(page.getByRole("alert")).toContainText(said);
    await auditThemes();
    const patch = await page.request.get(`/agents/${agent}/compare.patch?base=${encodeURIComponent(base)}&head=1.1.0`);
    expect(patch.status(), base).toBe(status);
    await expect(comparison.base).toHaveValue(base);
    await expect(comparison.head).toHaveValue("1.1.0");
  }
  await comparison.base.fill("1.0.0");
  await comparison.chooser.getByRole("button", { name: "Compare" }).click();
  await expect(comparison.summary).toHaveText("1 line added · 1 removed");
});

test("filters that mean nothing do no harm", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  const history = new HistoryPage(page);
  for (const query of ["page=-1&sort=x&dir=y&status=z", "page=99999999999999999999", "q=%25%27%22%5C%3Cb%3E", "q=%00", "author=%00"]) {
    const answer = await page.goto(`/agents/${agent}?${query}`);
    expect(answer?.status(), query).toBe(200);
  }
  for (const [name, status, said] of [["zz99zz", 200, "There is no agent “zz99zz”"], ["<b>", 200, "There is no agent “<b>”"]] as const) {
    await history.open();
    await history.filters.getByLabel("Agent").fill(name);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url().includes("/history?agent=")),
      history.filters.getByRole("button", { name: "Filter" }).click(),
    ]);
    expect(answer.status()).toBe(status);
    await hydrated(page);
    await expect(page.getByText(said)).toBeVisible();
    await expect(history.filters.getByLabel("Agent")).toHaveValue(name);
    await auditThemes();
  }
});

test("a search for anything is answered", async ({ page }) => {
  for (const words of ["%00", "%27%20or%201%3D1", "%22", "%26%20%7C%20!", "%3Cscript%3Ealert(1)%3C/script%3E", "%F0%9F%98%80", "x".repeat(5000)]) {
    const answer = await page.goto(`/?q=${words}`);
    expect(answer?.status(), words).toBe(200);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Agents");
  }
});

test("pages of what does not exist say so", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.\n");
  for (const [path, status, said] of [
    ["/agents/nobody_here", 404, "There is no agent nobody_here"],
    ["/agents/nobody_here/edit", 404, "There is no agent nobody_here"],
    ["/agents/nobody_here/compare", 404, "There is no agent nobody_here"],
    ["/agents/Bad%20Name", 400, "is not an agent type"],
    [`/agents/${agent}/versions/9.9.9`, 404, `${agent} has no version 9.9.9`],
    [`/agents/${agent}/versions/nine`, 400, "is not a version"],
  ] as const) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(status);
    await hydrated(page);
    await expect(page.getByRole("alert"), path).toContainText(said);
    await auditThemes();
  }
  expect((await page.request.get(`/agents/${agent}/versions/9.9.9/raw`)).status()).toBe(404);
});
