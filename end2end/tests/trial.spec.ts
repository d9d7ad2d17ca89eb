// A text is tried on a model before anybody saves it.
import { expect, test } from "../fixtures.js";
import { EditorPage } from "../pages/editor.js";

// The browser reports each refusal that a test provokes.
test.use({ expectedInConsole: [/status of 422/] });

test("a text is tried beside the live version, and nothing is saved", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("answer: The live one.\n");
  const editor = new EditorPage(page);
  // Monaco has alerts of its own.
  const alert = page.locator('.notice[role="alert"]');
  await editor.open(agent);
  await editor.replace("answer: The new one for {{reader}}.\n");
  // The server gives models a moment to be found, and remembers for half a minute that one was not.
  await expect(async () => {
    await editor.tab("Write").click();
    await editor.tab("Try it").click();
    await expect(page.getByLabel("Model", { exact: true })).toHaveValue(/^compatible::/, { timeout: 3_000 });
  }).toPass({ timeout: 120_000 });
  await page.getByLabel("Model", { exact: true }).fill("compatible::test-model");
  await page.getByLabel("What a user says").fill("Hello.");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(alert).toContainText("{{reader}}");
  await page.getByLabel("reader").fill("Ada");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(page.getByRole("region", { name: "As it is written" })).toHaveText("The new one for Ada.");
  await expect(page.getByRole("region", { name: "Live: 1.0.0" })).toHaveText("The live one.");
  await auditThemes();
  await page.getByLabel("Model", { exact: true }).fill("nothing");
  await page.getByLabel("Model", { exact: true }).press("Enter");
  await expect(alert).toContainText("nothing");
  await editor.tab("Write").click();
  await expect.poll(() => editor.lines()).toEqual(["answer: The new one for {{reader}}.", ""]);
  // Whoever went back to the text asks the same again.
  await editor.tab("Try it").click();
  await expect(page.getByLabel("What a user says")).toHaveValue("Hello.");
  await expect(page.getByLabel("Model", { exact: true })).toHaveValue("nothing");
  await expect(alert).toContainText("nothing");
  expect(await registry.active(agent)).toEqual({ version: "1.0.0", text: "answer: The live one.\n" });
});

test("a new agent has no live version to be tried beside", async ({ page }) => {
  const editor = new EditorPage(page);
  await editor.open();
  await editor.tab("Try it").click();
  await expect(page.getByLabel("What a user says")).toBeVisible();
  await expect(page.getByLabel("Beside the version that is live")).toBeHidden();
});

test("Control Enter asks, where the question is written", async ({ page, registry }) => {
  const agent = await registry.agent("answer: The live one.\n");
  const editor = new EditorPage(page);
  await editor.open(agent);
  await editor.tab("Try it").click();
  await page.getByLabel("Model", { exact: true }).fill("compatible::test-model");
  await page.getByLabel("What a user says").fill("Hello.");
  await page.getByLabel("What a user says").press("Control+Enter");
  await expect(page.getByRole("region", { name: "As it is written" })).toHaveText("The live one.");
  await expect(page).toHaveURL(/\/edit$/);
  expect(await registry.versions(agent)).toEqual(["1.0.0"]);
});
