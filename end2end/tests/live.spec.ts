// Pages that stay open follow what happens elsewhere by themselves.
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.js";
import { AgentHeader } from "../pages/agent-header.js";
import { ComparisonPage } from "../pages/comparison.js";
import { EditorPage } from "../pages/editor.js";
import { HistoryPage } from "../pages/history.js";
import { hydrated } from "../pages/hydrated.js";
import { OverviewPage } from "../pages/overview.js";
import { VersionPage } from "../pages/version.js";

// How soon they do is no matter for most tests, on a busy machine: that they do, without anybody touching them, is.
const SOON = { timeout: 60_000 };

/** Writes down every toast: the next one of another agent may take its place at once. */
async function collectToasts(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    const look = () => said.push(...[...document.querySelectorAll(".toast p")].map((toast) => toast.textContent ?? ""));
    const place = document.querySelector(".toasts");
    if (place) new MutationObserver(look).observe(place, { childList: true, subtree: true, characterData: true });
  });
  return () => page.evaluate(() => (window as unknown as { said: string[] }).said);
}

test("a promotion is seen in row, header and list, with a toast", async ({ page, otherPage, registry, auditThemes }) => {
  const agent = await registry.agent("Be brief.\n");
  await registry.create(agent, "1.1.0", "Be brief and kind.\n");
  const [history, overview] = [new HistoryPage(page), new OverviewPage(otherPage)];
  const header = new AgentHeader(page);
  await history.open(agent);
  await overview.open();
  await expect(history.status("1.1.0")).toContainText("draft");
  const toasts = await collectToasts(page);

  await registry.promote(agent, "1.1.0", "grace");
  await Promise.all([
    expect(history.status("1.1.0")).toContainText("active", SOON),
    expect(history.status("1.0.0")).toContainText("superseded", SOON),
    expect(header.header).toContainText("1.1.0", SOON),
    expect(header.inRail(agent)).toContainText("1.1.0", SOON),
    expect(history.timeLine.first()).toContainText("1.1.0", SOON),
    expect(overview.row(agent)).toContainText("1.1.0", SOON),
    expect.poll(toasts, SOON).toContain(`${agent} 1.1.0 went live by grace`),
  ]);
  await auditThemes();
});

test("a promotion is seen within a second", async ({ page, registry }) => {
  const agent = await registry.agent("Text 0.\n");
  const promotions = 10;
  for (let minor = 1; minor <= promotions; minor += 1) await registry.create(agent, `1.${minor}.0`, `Text ${minor}.\n`);
  const history = new HistoryPage(page);
  await history.open(agent);
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(window, { seen });
    const look = () => {
      const version = document.querySelector("table.versions tr.active a.version")?.textContent;
      if (version) seen[version] ??= Date.now();
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  });
  const times: number[] = [];
  for (let minor = 1; minor <= promotions; minor += 1) {
    const version = `1.${minor}.0`;
    await registry.promote(agent, version);
    const answered = Date.now();
    const seen = () => page.evaluate((version) => (window as unknown as { seen: Record<string, number> }).seen[version], version);
    await expect.poll(seen, SOON).toBeDefined();
    times.push(((await seen()) ?? Infinity) - answered);
  }
  // The best of ten: what else the machine does is not the page's delay.
  expect(Math.min(...times), `${times.join(", ")} ms`).toBeLessThan(1_000);
});

test("a comparison keeps its two versions when a newer draft comes", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "One.\nTwo.\n");
  await page.goto(`/agents/${agent}`);
  const header = new AgentHeader(page);
  await header.tab("Compare").click();
  await hydrated(page);
  const comparison = new ComparisonPage(page);
  await registry.create(agent, "1.2.0", "Three.\n");
  await expect(header.header).toContainText("2 drafts", SOON);
  await expect(comparison.sides).toContainText(["1.0.0", "1.1.0"]);
  await expect(comparison.head).toHaveValue("1.1.0");
  await expect(page.getByRole("link", { name: "Promote 1.1.0" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Promote 1.2.0" })).toBeHidden();
  await registry.promote(agent, "1.1.0");
  await expect(comparison.sides.last()).toContainText("Live", SOON);
});

test("a row appears where there was none", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  const history = new HistoryPage(page);
  await history.open(agent, "?status=draft");
  await expect(page.getByText("No version is like that.")).toBeVisible();
  await registry.create(agent, "1.1.0", "Two.\n");
  await expect(history.status("1.1.0")).toContainText("draft", SOON);
  await registry.promote(agent, "1.1.0");
  await expect(page.getByText("No version is like that.")).toBeVisible(SOON);
});

test("a page is read again only for what it shows", async ({ page, registry }) => {
  const [agent, other] = [await registry.agent("One.\n"), await registry.agent("Other.\n")];
  await registry.create(other, "1.1.0", "Other, again.\n");
  const header = new AgentHeader(page);
  const places = [`/agents/${agent}`, `/agents/${agent}/versions/1.0.0`, `/agents/${agent}/edit`, `/agents/${agent}/compare`];
  for (const [index, place] of places.entries()) {
    await page.goto(place);
    await hydrated(page);
    const asked: string[] = [];
    const listen = (request: { url(): string; resourceType(): string }) => {
      if (request.resourceType() === "fetch") asked.push(new URL(request.url()).pathname);
    };
    page.on("request", listen);
    await registry.release(other, `2.${index}.0`, `Other, the ${index}th time.\n`);
    await expect(header.inRail(other)).toContainText(`2.${index}.0`, SOON);
    expect(asked, place).toContain("/api/pages/frame");
    expect(asked.filter((path) => path.startsWith("/agents/")), place).toEqual([]);
    // Where one is stays marked in what was read anew.
    await expect(header.inRail(agent)).toHaveAttribute("aria-current", "true");
    page.off("request", listen);
  }
});

test.describe("a page of what does not exist", () => {
  // The page itself, once.
  test.use({ expectedInConsole: [/status of 404/] });

  test("is not asked for again, and its list of agents follows", async ({ page, registry }) => {
    const agent = await registry.agent("One.\n");
    await page.goto("/nowhere");
    await hydrated(page);
    let again = 0;
    page.on("request", (request) => (again += Number(new URL(request.url()).pathname === "/nowhere")));
    await registry.release(agent, "1.1.0", "Two.\n");
    await expect(new AgentHeader(page).inRail(agent)).toContainText("1.1.0", SOON);
    expect(again).toBe(0);
  });
});

test("a new draft is seen", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("Be brief.\n");
  const history = new HistoryPage(page);
  const header = new AgentHeader(page);
  await history.open(agent);
  await expect(header.header).not.toContainText("draft");
  const toasts = await collectToasts(page);
  await registry.create(agent, "1.1.0", "Be brief and kind.\n", { created_by: "grace" });
  await Promise.all([
    expect(history.status("1.1.0")).toContainText("draft", SOON),
    expect(header.header).toContainText("1 draft", SOON),
    expect(header.inRail(agent)).toContainText("drafts wait", SOON),
    expect.poll(toasts, SOON).toContain(`${agent} 1.1.0 was saved by grace`),
  ]);
  await auditThemes();
});

test("the page of a version follows", async ({ page, registry }) => {
  const agent = await registry.agent("Be brief.\n");
  await registry.create(agent, "1.1.0", "Be brief and kind.\n");
  const version = new VersionPage(page);
  await version.open(agent, "1.1.0");
  await expect(version.title).toContainText("draft");
  await registry.promote(agent, "1.1.0");
  await expect(version.title).toContainText("active", SOON);
  await expect(version.promote).toBeHidden(SOON);
  await expect(version.text).toHaveText("Be brief and kind.\n");
});

test("what somebody is about to do is left as it is", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  await registry.create(agent, "1.2.0", "Three.\n");
  const history = new HistoryPage(page);
  await history.open(agent);
  await history.pick("1.0.0", "base").check();
  await history.pick("1.1.0", "head").check();
  await history.promote("1.1.0").focus();
  await registry.create(agent, "1.3.0", "Four.\n");
  await expect(history.row("1.3.0")).toBeVisible(SOON);
  await expect(history.pick("1.0.0", "base")).toBeChecked();
  await expect(history.pick("1.1.0", "head")).toBeChecked();
  await expect(history.promote("1.1.0")).toBeFocused();
});

test("eight tabs of one browser load, and all follow", async ({ context, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  const tabs = await Promise.all(Array.from({ length: 8 }, () => context.newPage()));
  const streams = { open: 0 };
  for (const tab of tabs) {
    tab.on("request", (request) => (streams.open += Number(request.url().includes("/api/pages/events"))));
    // One after the other: each takes what the ones before it left of the browser's connections.
    await new HistoryPage(tab).open(agent);
  }
  expect(streams.open, "one stream for all tabs").toBe(1);
  await registry.promote(agent, "1.1.0");
  for (const tab of tabs) await expect(new HistoryPage(tab).status("1.1.0")).toContainText("active", SOON);

  // The one with the stream is the first. Without it the others go on, and miss nothing of what happens meanwhile.
  await tabs[0]?.close();
  await registry.release(agent, "1.2.0", "Three.\n");
  for (const tab of tabs.slice(1)) await expect(new HistoryPage(tab).status("1.2.0")).toContainText("active", SOON);
  // One stays, and is audited at the end; they are all alike.
  for (const tab of tabs.slice(2)) await tab.close();
});

test("without locks, as over plain HTTP, a page follows with a stream of its own", async ({ page, registry }) => {
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  const history = new HistoryPage(page);
  await history.open(agent);
  await registry.promote(agent, "1.1.0");
  await expect(history.status("1.1.0")).toContainText("active", SOON);
});

test("a page follows while the list of keys is open", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  await registry.create(agent, "1.1.0", "Two.\n");
  const [history, overview] = [new HistoryPage(page), new OverviewPage(page)];
  await history.open(agent);
  await page.keyboard.press("?");
  await expect(overview.help).toBeVisible();
  await registry.promote(agent, "1.1.0");
  await expect(page.locator("table.versions tr.active")).toContainText("1.1.0", SOON);
  await page.keyboard.press("Escape");
  await expect(overview.help).toBeHidden();
});

test("who writes is told of a newer version until they dismiss it", async ({ page, registry }) => {
  const agent = await registry.agent("One.\n");
  const editor = new EditorPage(page);
  const header = new AgentHeader(page);
  await editor.open(agent);
  await registry.release(agent, "1.1.0", "Two.\n", { created_by: "grace" });
  const toast = header.toast.filter({ hasText: agent });
  await expect(toast.getByRole("paragraph")).toHaveText(`${agent} 1.1.0 went live by grace while you were writing`, SOON);
  // One that is about something else goes by itself; this one is still there then.
  const toasts = await collectToasts(page);
  const other = await registry.agent("Other.\n");
  await expect.poll(toasts, SOON).toContain(`${other} 1.0.0 went live by ada`);
  await expect(header.toast.filter({ hasText: other })).toHaveCount(0, SOON);
  await expect(toast).toHaveCount(1);
  await toast.getByRole("button", { name: "Dismiss" }).click();
  await expect(toast).toHaveCount(0);
});

test.describe("after a refusal", () => {
  // The refusal itself.
  test.use({ expectedInConsole: [/status of 422/] });

  test("a page at the address of its form follows as well", async ({ page, registry }) => {
    const agent = await registry.agent("One.\n");
    const header = new AgentHeader(page);
    await page.goto("/lab");
    await page.getByRole("button", { name: "Make the set" }).click();
    await expect(page.getByRole("alert")).toBeVisible();
    await expect(page).toHaveURL(/\/lab\/sets$/);
    await hydrated(page);
    await page.getByLabel("Name of a new set").fill("Half wr");
    await registry.release(agent, "1.1.0", "Two.\n");
    await expect(header.inRail(agent)).toContainText("1.1.0", SOON);
    await expect(page.getByLabel("Name of a new set")).toHaveValue("Half wr");
  });
});
