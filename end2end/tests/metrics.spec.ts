// How prompts are used: figures that are drawn, said and listed, with and without scripts.
import { expect, test } from "../fixtures.js";
import { hydrated } from "../pages/hydrated.js";

/** Calls of a version that ended some hours ago. */
function calls(agent: string, version: string, count: number, hoursAgo: number, more: object = {}): object[] {
  const at = new Date(Date.now() - hoursAgo * 3_600_000).toISOString();
  const call = { agent_type: agent, version, model: "compatible::test-model", latency_ms: 120, output_tokens: 20, cost_usd: 0.001, at };
  return Array.from({ length: count }, () => ({ ...call, ...more }));
}

test("calls, latency and failures of an agent, with what was promoted when", async ({ page, registry, request, auditThemes }) => {
  const agent = await registry.agent("One.");
  await registry.release(agent, "1.1.0", "Two.");
  const batch = [
    ...calls(agent, "1.0.0", 1_200, 5),
    ...calls(agent, "1.1.0", 300, 1, { latency_ms: 900 }),
    ...calls(agent, "1.1.0", 30, 1, { latency_ms: null, error_kind: "rate_limited" }),
  ];
  const answer = await request.post("/api/v1/calls", { data: { calls: batch } });
  expect(await answer.json()).toEqual({ recorded: 1_530, refused: [] });

  await page.goto(`/agents/${agent}`);
  await page.getByRole("navigation", { name: "Pages of this agent" }).getByRole("link", { name: "Metrics" }).click();
  await hydrated(page);
  await expect(page.getByText(/^1.530 calls · 2 versions created/)).toBeVisible();
  const figure = page.getByRole("region", { name: "Calls by version", exact: true });
  await expect(figure.getByRole("img")).toHaveAccessibleName(/1\.0\.0 at most 1.200, 1\.1\.0 at most 330/);
  await expect(figure.getByRole("listitem")).toHaveText(["1.0.0", "1.1.0"]);
  // The two promotions are too close for two names.
  await expect(figure.locator(".chart-mark")).toHaveCount(2);
  await figure.getByText("As a table").click();
  await expect(figure.getByRole("cell", { name: "330", exact: true })).toBeVisible();
  const versions = page.getByRole("region", { name: "Versions that were called" }).first().getByRole("row");
  await expect(versions.filter({ hasText: "1.1.0" }).first()).toContainText("9.1 %");
  await expect(page.getByRole("region", { name: "Why calls failed" }).first()).toContainText("rate_limited");
  await auditThemes();

  await page.getByRole("navigation", { name: "Range" }).getByRole("link", { name: "24 hours" }).click();
  await expect(page).toHaveURL(new RegExp(`agent=${agent}&range=24h`));
  await expect(page.getByRole("link", { name: "24 hours" })).toHaveAttribute("aria-current", "true");
  await expect(page.getByText(/^1.530 calls/)).toBeVisible();

  await page.goto("/metrics/prompts");
  await hydrated(page);
  const row = page.getByRole("region", { name: "Agents", exact: true }).first().getByRole("row").filter({ hasText: agent });
  await expect(row.first()).toContainText(/1\.0\.0\s*1.200 calls/);
  await auditThemes();
  await row.first().getByRole("link").click();
  await expect(page).toHaveURL(new RegExp(`agent=${agent}`));
});

test("an agent that nobody called says where calls come from", async ({ page, registry }) => {
  const agent = await registry.agent("One.");
  await page.goto(`/metrics/prompts?agent=${agent}&range=52w`);
  await expect(page.getByText("POST /api/v1/calls")).toBeVisible();
  await expect(page.getByText("No version was called in this range.")).toBeVisible();
  await page.setViewportSize({ width: 360, height: 740 });
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});

test.describe("without scripts", () => {
  // The script of the page is refused by its policy where scripts are off.
  test.use({ javaScriptEnabled: false, expectedInConsole: [/^failed: .*\/pkg\/.*\.js csp$/] });

  test("the figures are whole", async ({ page, registry, request }) => {
    const agent = await registry.agent("One.");
    await request.post("/api/v1/calls", { data: { calls: calls(agent, "1.0.0", 7, 2) } });
    await page.goto(`/metrics/prompts?agent=${agent}`);
    await expect(page.getByText(/^7 calls/)).toBeVisible();
    await expect(page.locator("svg.chart rect.series-0").first()).toBeVisible();
    await page.getByText("As a table").first().click();
    await expect(page.getByRole("cell", { name: "7", exact: true }).first()).toBeVisible();
  });
});

test.describe("what cannot be told", () => {
  test.use({ expectedInConsole: [/status of (400|404)/] });

  test("a range or an agent that there is not is named", async ({ page }) => {
    await page.goto("/metrics/prompts?range=x");
    await expect(page.getByRole("alert")).toContainText("24h, 7d, 30d, 90d and 52w");
    await page.goto("/metrics/prompts?agent=nobody_here");
    await expect(page.getByRole("alert")).toContainText("There is no agent nobody_here");
  });
});
