import { expect, test } from "../fixtures.js";

test.describe("an address that leads nowhere", () => {
  // The browser reports the status of the page itself.
  test.use({ expectedInConsole: [/404/] });

  test("is said to, with the way forward", async ({ page, audit }) => {
    const answer = await page.goto("/nowhere");
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is nothing at this address");
    await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
    await audit();
    await page.getByRole("link", { name: "All agents" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Agents");
  });
});

test("the API's documentation lists every endpoint", async ({ page, request }) => {
  await page.goto("/docs/");
  for (const path of ["versions", "patch", "promote", "reissue"]) {
    await expect(page.locator(`[data-path="/api/v1/prompts/${path}"]`)).toBeVisible();
  }
  const document = (await (await request.get("/api/v1/openapi.json")).json()) as { paths: Record<string, object> };
  const endpoints = Object.values(document.paths).flatMap((path) =>
    Object.keys(path).filter((key) => ["get", "post", "put", "patch", "delete"].includes(key)),
  );
  await expect(page.locator(".opblock")).toHaveCount(endpoints.length);
});

test("what an unknown agent is asked for is refused with a problem document", async ({ request }) => {
  for (const path of ["versions", "active"]) {
    const answer = await request.get(`/api/v1/prompts/nobody_here/${path}`);
    expect(answer.headers()["content-type"], path).toContain("application/problem+json");
    const problem = await answer.json();
    expect(problem, path).toMatchObject({ status: answer.status(), code: "unknown_agent", title: "Not Found" });
    expect(answer.status(), path).toBe(404);
    expect(problem.detail, path).toContain("nobody_here");
  }
});

test("files of the site are compressed and kept", async ({ page, request }) => {
  const html = await (await request.get("/")).text();
  const names = [...html.matchAll(/\/pkg\/[^"'`]+\.(?:css|js|wasm)/g)].map((match) => match[0]);
  expect(names.length).toBeGreaterThanOrEqual(3);
  for (const name of names) {
    const answer = await request.get(name, { headers: { "accept-encoding": "br" } });
    expect(answer.status(), name).toBe(200);
    expect(answer.headers()["content-encoding"], name).toBe("br");
    expect(answer.headers()["cache-control"], name).toContain("immutable");
    expect(name, "the name carries a hash").toMatch(/\.[A-Za-z0-9_-]{12,}\.(css|js|wasm)$/);
  }
  expect((await request.get("/favicon.svg")).headers()["content-type"]).toContain("svg");
  await page.goto("/");
});

test("pages carry a policy that lets only our own scripts run", async ({ request }) => {
  const headers = (await request.get("/")).headers();
  expect(headers["content-security-policy"]).toMatch(/script-src 'self' 'wasm-unsafe-eval' 'nonce-[^']+'/);
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["x-request-id"]).toBeTruthy();
});
