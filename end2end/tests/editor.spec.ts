// The editor as a tool: what it shows of a prompt, what it offers, and what its keys do.
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { PromotionDialog } from "../pages/promotion.js";
import { VersionPage } from "../pages/version.js";

const BASE = [
  "# Role",
  "You review {{language}} code.",
  "<rules>",
  "- Be **brief**.",
  "</rules>",
  "# Tone",
  "```",
  "fn main",
  "```",
  "",
].join("\n");

/** A colour of the page's theme, as a style is computed. */
async function colour(page: Page, name: string): Promise<string> {
  return page.evaluate((name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }, name);
}

/** The requests that sent a form. */
function forms(page: Page): string[] {
  const sent: string[] = [];
  page.on("request", (request) => {
    if (request.isNavigationRequest() && request.method() === "POST") sent.push(new URL(request.url()).pathname);
  });
  return sent;
}

test.describe("the language of prompts", () => {
  test("sets off headings, variables, tags, code and what is strong, in both themes", async ({ page, registry, audit }) => {
    const agent = await registry.agent(BASE);
    const editor = new EditorPage(page);
    await editor.open(agent);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const [accent, text, soft] = [await colour(page, "--accent"), await colour(page, "--text"), await colour(page, "--text-soft")];
      expect(new Set([accent, text, soft]).size).toBe(3);
      await expect(editor.piece("# Role")).toHaveCSS("color", accent);
      await expect(editor.piece("# Role")).toHaveCSS("font-weight", "700");
      await expect(editor.piece("{{language}}")).toHaveCSS("color", accent);
      await expect(editor.piece("<rules>")).toHaveCSS("color", accent);
      await expect(editor.piece("**brief**")).toHaveCSS("font-weight", "700");
      await expect(editor.piece("fn main")).toHaveCSS("color", soft);
      await expect(editor.piece("You review ")).toHaveCSS("color", text);
      await expect(editor.piece("You review ")).toHaveCSS("font-weight", "400");
      await audit();
    }
  });

  test("marks a variable that no version uses", async ({ page, registry, auditThemes }) => {
    const agent = await registry.agent(BASE);
    await registry.create(agent, "1.1.0", "In a {{tone}} tone.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.append("{{tone}} {{lenguage}}");
    await page.keyboard.press("Escape");
    const unknown = editor.editor.locator(".unknown-variable");
    await expect(unknown).toHaveText(["{{lenguage}}"]);
    await expect(unknown).toHaveCSS("text-decoration-line", "underline");
    await expect(unknown).toHaveCSS("text-decoration-style", "wavy");
    await expect(unknown).toHaveCSS("color", await colour(page, "--draft"));
    await expect(editor.editor.locator(".known-variable")).toHaveText(["{{language}}", "{{tone}}"]);
    await auditThemes();
    for (let letters = "nguage}}".length; letters > 0; letters -= 1) await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Backspace");
    await page.keyboard.type("a");
    await expect(unknown).toHaveCount(0);
  });

  test("completes a variable that any version uses", async ({ page, registry }) => {
    const agent = await registry.agent(BASE);
    await registry.create(agent, "1.1.0", "In a {{tone}} tone.\n");
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.append("Be {{");
    await expect(editor.suggestions).toHaveText(["language", "tone"]);
    await page.keyboard.type("to");
    await expect(editor.suggestions).toHaveText(["tone"]);
    await page.keyboard.press("Enter");
    await expect(editor.suggestions).toHaveCount(0);
    await expect.poll(() => editor.lines()).toContain("Be {{tone}}");
    await page.keyboard.type(".");
    await editor.save.click();
    await new VersionPage(page).saved(agent, "1.0.1");
    expect(await registry.text(agent, "1.0.1")).toBe(`${BASE}Be {{tone}}.`);
  });

  test("folds a section by its heading", async ({ page, registry }) => {
    const agent = await registry.agent(BASE);
    const editor = new EditorPage(page);
    await editor.open(agent);
    // The controls are shown to whom the pointer is at the numbers of the lines.
    await editor.editor.locator(".margin").hover({ position: { x: 10, y: 20 } });
    await editor.folded("expanded").first().click();
    await expect(editor.folded("collapsed")).toHaveCount(1);
    await expect.poll(() => editor.lines()).toEqual(["# Role", "# Tone", "```", "fn main", "```", ""]);
    await editor.folded("collapsed").click();
    await expect.poll(() => editor.lines()).toEqual(BASE.split("\n"));
  });

  test("finds what is looked for", async ({ page, registry }) => {
    const agent = await registry.agent(BASE);
    const editor = new EditorPage(page);
    await editor.open(agent);
    await editor.text.focus();
    await page.keyboard.press("Control+F");
    await expect(editor.find).toBeVisible();
    await expect(editor.find.locator(":focus")).toHaveCount(1);
    await page.keyboard.type("rules");
    await expect(editor.find).toContainText("1 of 2");
    await page.keyboard.press("Enter");
    await expect(editor.find).toContainText("2 of 2");
    await page.keyboard.press("Escape");
    await expect(editor.find).toBeHidden();
    await expect.poll(() => editor.lines()).toEqual(BASE.split("\n"));
  });
});

test("whoever writes before Monaco is there goes on writing in it", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  const editor = new EditorPage(page);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/vendor/monaco/editor.js", async (route) => {
    await released;
    await route.continue();
  });
  await page.goto(`/agents/${agent}/edit`);
  await hydrated(page);
  await editor.area.focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("Be kind");
  await page.keyboard.press("Shift+ArrowLeft");
  release();
  await editor.ready();
  await expect(page.locator(".monaco-editor.focused")).toBeVisible();
  // Letters that nobody listens to would be keys of the page: `g h` leads away.
  await page.keyboard.type("dly. g h");
  await expect.poll(() => editor.lines()).toEqual(["Be brief.", "Be kindly. g h"]);
  await expect(page).toHaveURL(/\/edit$/);
});

test.describe("when Monaco cannot be had", () => {
  // The requests that this test makes fail. One pattern: Playwright takes a list of two objects for a value and its options.
  test.use({ expectedInConsole: [/^failed: .*\/vendor\/monaco\/.* net::ERR_FAILED$|^error: Failed to load resource: net::ERR_FAILED$/] });

  for (const files of ["**/vendor/monaco/**", "**/vendor/monaco/main-*.js"]) {
    test(`${files} less, the text area stays, and saves`, async ({ page, registry, auditThemes }) => {
      const agent = await registry.agent("Be brief.\n");
      const editor = new EditorPage(page);
      await page.route(files, (route) => route.abort());
      const failed = page.waitForEvent("requestfailed", (request) => request.url().includes("/vendor/monaco/"));
      await page.goto(`/agents/${agent}/edit`);
      await hydrated(page);
      await failed;
      await expect(editor.area).toBeVisible();
      await editor.area.fill("Be brief.\nBe {{tone}}.\n");
      await expect(editor.size).toContainText("4 words");
      await expect(editor.size).toContainText("tone");
      await expect(editor.kept).toHaveText("Not saved; this browser keeps a draft.");
      await editor.tab("Changes").click();
      await expect(editor.panel.getByRole("status")).toHaveText("1 line added, 0 removed against 1.0.0.");
      await auditThemes();
      await editor.tab("Write").click();
      await editor.area.press("Control+Enter");
      await new VersionPage(page).saved(agent, "1.0.1");
      expect(await registry.text(agent, "1.0.1")).toBe("Be brief.\nBe {{tone}}.\n");
    });
  }
});

test("a text that would take long to render is previewed as it is", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent(`{{name}} ${"&".repeat(600_000)}\n`);
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.tab("Preview").click();
  await editor.value("name").fill("Ada");
  await editor.value("name").press("Enter");
  await expect(editor.panel.getByRole("status")).toContainText("It is shown as it is");
  await expect(editor.panel.getByRole("article")).toContainText("Ada &&&");
  await auditThemes();
});

test.describe("the keys of the form", () => {
  test("Enter in a value of the preview shows it, and saves nothing", async ({ page, registry }) => {
    const agent = await registry.agent("# {{name}}, {{role}}\n");
    const editor = new EditorPage(page);
    const sent = forms(page);
    await editor.open(agent);
    await editor.tab("Preview").click();
    for (const [name, value, heading] of [["name", "Ada", "Ada, {{role}}"], ["role", "judge", "Ada, judge"]] as const) {
      await editor.value(name).fill(value);
      await editor.value(name).press("Enter");
      await expect(editor.panel.getByRole("heading", { name: heading })).toBeVisible();
      await expect(editor.value(name)).toBeFocused();
    }
    await expect(page).toHaveURL(/\/edit$/);
    expect(sent).toEqual([]);
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
  });

  test("Control Enter saves from the notes, from the name, and beside a preview", async ({ page, registry }) => {
    const agent = await registry.agent("# {{name}}\n");
    const editor = new EditorPage(page);
    const version = new VersionPage(page);
    const places = [
      editor.notes,
      editor.author,
      editor.bump("Patch"),
      editor.value("name"),
      editor.tab("Preview"),
    ];
    let patch = 0;
    for (const place of places) {
      await editor.open(agent, "1.0.0");
      await editor.append(`More ${patch}.`);
      await editor.tab("Preview").click();
      await expect(editor.value("name")).toBeVisible();
      await place.press("Control+Enter");
      patch += 1;
      await version.saved(agent, `1.0.${patch}`);
      expect(await registry.text(agent, `1.0.${patch}`)).toBe(`# {{name}}\nMore ${patch - 1}.`);
    }
  });
});

test.describe("a button that is pressed twice", () => {
  test("saves once", async ({ page, registry }) => {
    const agent = await registry.agent("Be brief.\n");
    const editor = new EditorPage(page);
    const sent = forms(page);
    await editor.open(agent);
    await editor.append("Be kind.");
    await editor.save.dblclick();
    await new VersionPage(page).saved(agent, "1.0.1");
    expect(sent).toEqual([`/agents/${agent}/edit`]);
    expect(await registry.versions(agent)).toEqual(["1.0.1", "1.0.0"]);
  });

  test("fixes forward once", async ({ page, registry }) => {
    const agent = await registry.agent("One.\n");
    await registry.release(agent, "1.1.0", "Two.\n");
    const sent = forms(page);
    const history = new HistoryPage(page);
    const promotion = new PromotionDialog(page);
    await history.open(agent);
    await history.fixForward("1.0.0").click();
    await promotion.dialog.waitFor();
    await hydrated(page);
    await promotion.confirm.dblclick();
    await page.waitForURL(/[?&]done=1\.1\.1/);
    expect(sent).toEqual([`/agents/${agent}/reissue`]);
    expect(await registry.versions(agent)).toEqual(["1.1.1", "1.1.0", "1.0.0"]);
  });
});

test.describe("without scripts", () => {
  // A browser without scripts refuses to load one in advance, and says so.
  test.use({ javaScriptEnabled: false, expectedInConsole: [/^failed: .*\/pkg\/.*\.js csp$/] });

  test("Enter in a value of the preview looks again, and saves nothing", async ({ page, registry }) => {
    const agent = await registry.agent("# {{name}}\n");
    const editor = new EditorPage(page);
    await page.goto(`/agents/${agent}/edit`);
    await editor.tab("Preview").click();
    await editor.value("name").fill("Ada");
    await editor.value("name").press("Enter");
    await expect(editor.panel.getByRole("heading", { name: "Ada" })).toBeVisible();
    expect(await registry.versions(agent)).toEqual(["1.0.0"]);
  });
});
