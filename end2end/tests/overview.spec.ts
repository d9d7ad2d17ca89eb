import { expect, SEEDED, test } from "../fixtures.js";
import { OverviewPage } from "../pages/overview.js";

test("the overview lists what is live, as the API says it", async ({ page, request, audit }) => {
  const overview = new OverviewPage(page);
  await overview.open();
  await expect(overview.heading).toHaveText("Agents");
  await expect(page).toHaveTitle("Agents · Verbatim");
  for (const [agentType, version] of Object.entries(SEEDED)) {
    await expect(overview.row(agentType)).toContainText(version);
    await expect(overview.rail).toContainText(agentType);
    const active = await (await request.get(`/api/v1/prompts/${agentType}/active`)).json();
    expect(active.version).toBe(version);
  }
  await expect(overview.row("qa_engineer")).toContainText("1 draft");
  await audit();
});

test("what is promoted through the API is there after a reload", async ({ page, request, registry, audit }) => {
  const agentType = registry.name();
  const overview = new OverviewPage(page);
  const text = "Write <b>plainly</b> & well.\n";
  const created = await request.post("/api/v1/prompts/versions", {
    data: { agent_type: agentType, version: "1.0.0", prompt_text: text, created_by: "ada" },
  });
  expect(created.status()).toBe(201);
  await overview.open();
  await expect(overview.row(agentType)).toContainText("Nothing is live yet");
  const promoted = await request.post("/api/v1/prompts/promote", { data: { agent_type: agentType, version: "1.0.0" } });
  expect(promoted.status()).toBe(200);
  await page.reload();
  await overview.hydrated();
  await expect(overview.row(agentType)).toContainText("1.0.0");
  await expect(overview.row(agentType)).toContainText(/just now|\d minutes? ago/);
  await audit();

  const active = await (await request.get(`/api/v1/prompts/${agentType}/active`)).json();
  expect(active.prompt_text).toBe(text);

  // The list has the newest dozen of all agents, and other tests may fill it before it is read: then the next promotion is
  // looked for.
  let minor = 0;
  await expect(async () => {
    minor += 1;
    await registry.release(agentType, `1.${minor}.0`, `${text}${minor}\n`);
    await page.reload();
    const event = overview.events.filter({ hasText: `${agentType} 1.${minor}.0` }).filter({ hasText: "went live" });
    await expect(event).toHaveCount(1, { timeout: 2_000 });
  }).toPass({ timeout: 120_000 });
  await overview.hydrated();
});

test("the theme is remembered, and follows the system until one is chosen", async ({ page, audit }) => {
  const overview = new OverviewPage(page);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "dark" });
  await overview.open();
  const dark = await background();
  await audit();
  await expect(overview.theme).toContainText("system");
  await overview.theme.click();
  await expect(overview.theme).toContainText("light");
  const light = await background();
  expect(light).not.toBe(dark);
  await page.reload();
  await overview.hydrated();
  await expect(overview.theme).toContainText("light");
  expect(await background()).toBe(light);
  await audit();
  await page.keyboard.press("t");
  await expect(overview.theme).toContainText("dark");
  expect(await background()).toBe(dark);
  await page.keyboard.press("t");
  await expect(overview.theme).toContainText("system");
});

test("everything can be done by keyboard", async ({ page, audit }) => {
  const overview = new OverviewPage(page);
  await overview.open();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect(page.locator("tr:focus")).toHaveCount(1);
  const second = await page.locator("tr:focus").getAttribute("id");
  await page.keyboard.press("k");
  expect(await page.locator("tr:focus").getAttribute("id")).not.toBe(second);
  await page.keyboard.press("?");
  await expect(overview.help).toBeVisible();
  await audit();
  await page.keyboard.press("Escape");
  await expect(overview.help).toBeHidden();
  await page.getByRole("button", { name: "Keyboard help" }).click();
  await expect(overview.help).toBeVisible();
  await overview.help.getByRole("button", { name: "Close" }).click();
  await expect(overview.help).toBeHidden();
});

test("long names and large numbers never push anything out of sight", async ({ page, request }) => {
  const agentType = `e2e_${Date.now().toString(36)}_${"long".repeat(9)}`;
  const version = "12.104.1033";
  const data = { agent_type: agentType, version, prompt_text: "a\nb\n", created_by: "christopher@a-long-name.example" };
  expect((await request.post("/api/v1/prompts/versions", { data })).status()).toBe(201);
  expect((await request.post("/api/v1/prompts/promote", { data: { agent_type: agentType, version } })).status()).toBe(200);
  const overview = new OverviewPage(page);
  await overview.open();
  for (const width of [320, 390, 700, 768, 861, 1024, 1280, 1440, 1640, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    await expect.poll(() => overview.outOfSight(), `at ${width} px`).toEqual([]);
  }
});

test.describe("without JavaScript", () => {
  // A browser without scripts refuses to load one in advance, and says so.
  test.use({ javaScriptEnabled: false, expectedInConsole: [/^failed: .*\/pkg\/.*\.js csp$/] });

  test("everything can be read", async ({ page }) => {
    const overview = new OverviewPage(page);
    await page.goto("/");
    for (const [agentType, version] of Object.entries(SEEDED)) {
      await expect(overview.row(agentType)).toContainText(version);
    }
    await expect(overview.events.first()).toBeVisible();
    await expect(overview.theme).toBeHidden();
  });
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 } });

  test("nothing is cut off", async ({ page, audit }) => {
    const overview = new OverviewPage(page);
    await overview.open();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await expect(overview.row("qa_engineer")).toBeVisible();
    const rail = overview.rail.getByRole("link", { name: /workshopper/ });
    await expect(rail).toBeHidden();
    await overview.rail.getByText("Menu", { exact: true }).click();
    await expect(rail).toBeVisible();
    await audit();
    await rail.click();
    await expect(page).toHaveURL(/\/agents\/workshopper$/);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("History of workshopper");
  });
});
