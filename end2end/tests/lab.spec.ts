// An experiment, from the test cases to the prompt that agents are served.
import { expect, test } from "../fixtures.js";
import { hydrated } from "../pages/hydrated.js";

// A refusal, and what is not there, are statuses that the browser reports.
test.use({ expectedInConsole: [/status of (404|409|422)/] });

const MODEL = "compatible::test-model";

/** The rows of an import: what passes contains the word GOOD. */
function cases(count: number, input = "Question"): string {
  const lines = ["name,input,checks"];
  for (let number = 1; number <= count; number++) lines.push(`Case ${number},${input} ${number},contains: GOOD`);
  return lines.join("\n");
}

/** A file to be chosen. */
function file(name: string, text: string) {
  return { name, mimeType: "text/plain", buffer: Buffer.from(text) };
}

test("cases, a run, its verdict, a blind review, and the winner that is served", async ({ page, registry, auditThemes }) => {
  const agent = await registry.agent("One.");
  await registry.create(agent, "1.1.0", "answer: GOOD");

  await page.goto("/lab");
  await page.getByLabel("Agent", { exact: true }).selectOption(agent);
  await page.getByLabel("Name of a new set").fill("Basics");
  await page.getByRole("button", { name: "Make the set" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Basics");

  await page.getByLabel("Or its text").fill("name,input\nbroken");
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("alert")).toContainText(/line 2/i);
  await expect(page.getByLabel("Or its text")).toHaveValue("name,input\nbroken");
  await page.getByLabel("Or its text").fill(cases(11, "[delay 1000ms] Question"));
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("link", { name: "Case 11", exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Move up: Case 2", exact: true }).click();
  await expect(page.locator(".cases > li").first()).toContainText("Case 2");

  await page.getByRole("link", { name: "Add a case" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Last");
  await page.getByLabel("Input").fill("Question 12");
  await page.getByLabel("Checks").fill("regex: (");
  await page.getByRole("button", { name: "Add the case" }).click();
  await expect(page.getByRole("alert")).toContainText("regular expression");
  await expect(page.getByLabel("Input")).toHaveValue("Question 12");
  await page.getByLabel("Checks").fill("contains: GOOD");
  await hydrated(page);
  await auditThemes();
  await page.getByRole("button", { name: "Add the case" }).click();
  await expect(page.getByRole("link", { name: "Last", exact: true })).toBeVisible();
  await hydrated(page);
  await auditThemes();

  await page.getByRole("link", { name: "Run it" }).click();
  await page.getByLabel("Model", { exact: true }).fill(MODEL);
  await page.getByLabel("Repeats of each case").fill("0");
  await page.getByRole("button", { name: "Start the run" }).click();
  await expect(page.getByRole("alert").first()).toContainText("1 to 50");
  await page.getByLabel("Repeats of each case").fill("1");
  await page.getByLabel("Calls at once").fill("2");
  await page.getByRole("button", { name: "Dry run" }).click();
  await expect(page.getByRole("region", { name: "Dry run" })).toContainText("24 calls");
  await hydrated(page);
  await auditThemes();
  await page.getByRole("button", { name: "Start the run" }).click();

  // The server says so before any script runs, while the calls still take some seconds.
  await expect(page.getByRole("heading", { name: "Running" })).toBeVisible();
  await expect(page.getByText(/of 24 calls/)).toBeVisible();
  await hydrated(page);
  // It follows by itself to its end.
  await expect(page.getByRole("heading", { name: "B is better: 1.1.0" })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("12 cases").first()).toBeVisible();
  await expect(page.getByRole("row", { name: /pass rate/ })).toContainText("favours B");
  await hydrated(page);
  await auditThemes();
  await page.getByRole("link", { name: "A fails" }).click();
  await expect(page.getByRole("article")).toHaveCount(12);
  await expect(page.getByRole("article").first().locator("mark").first()).toBeVisible();
  await expect(page.getByRole("article").first()).toContainText("failed: It does not contain “GOOD”.");

  await page.getByRole("link", { name: "Blind review" }).click();
  await page.getByLabel("Your name").fill("ada");
  await page.getByRole("button", { name: "Begin" }).click();
  await expect(page.getByText("Pair 1 of 12")).toBeVisible();
  await expect(page.locator("main")).not.toContainText("1.1.0");
  await hydrated(page);
  await auditThemes();
  for (let pair = 1; pair <= 12; pair++) {
    await expect(page.getByText(`Pair ${pair} of 12`)).toBeVisible();
    await hydrated(page);
    const isLeft = (await page.getByRole("region", { name: "Left answer" }).textContent()) === "GOOD";
    // By key, but for the first.
    if (pair > 1) {
      await page.keyboard.press(isLeft ? "1" : "2");
    } else {
      await page.getByRole("button", { name: isLeft ? /^Left/ : /^Right/ }).click();
    }
  }
  const end = page.getByRole("button", { name: "End the review for everybody" });
  await expect(end).toBeVisible();
  await expect(page.locator("main")).not.toContainText("1.1.0");
  await hydrated(page);
  await auditThemes();
  await end.click();
  await expect(page.getByText("12 for B (1.1.0)")).toBeVisible();
  await page.getByRole("link", { name: "To the run" }).click();

  await page.getByRole("button", { name: "Choose the winner" }).click();
  await expect(page.getByRole("alert").first()).toContainText("Say why");
  await page.getByLabel("Why").fill("It passes.");
  await page.getByLabel("Make it live").check();
  await page.getByRole("button", { name: "Choose the winner" }).click();
  await expect(page.getByRole("heading", { name: "B was chosen: 1.1.0" })).toBeVisible();
  expect(await registry.active(agent)).toEqual({ version: "1.1.0", text: "answer: GOOD" });

  await page.goto(`/agents/${agent}/versions/1.1.0`);
  await expect(page.getByText("won a run in the lab")).toBeVisible();
});

test("a run is followed, is cancelled, and nothing is concluded from it", async ({ page, registry }) => {
  const agent = await registry.agent("One.");
  await registry.create(agent, "1.1.0", "Two.");
  await page.goto("/lab");
  await page.getByLabel("Agent", { exact: true }).selectOption(agent);
  await page.getByLabel("Name of a new set").fill("Slow");
  await page.getByRole("button", { name: "Make the set" }).click();
  await page.getByLabel("Or its text").fill(cases(40, "[delay 2000ms] Question"));
  await page.getByRole("button", { name: "Import" }).click();
  await expect(page.getByRole("link", { name: "Case 1", exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Run it" }).click();
  await page.getByLabel("Model", { exact: true }).fill(MODEL);
  await page.getByRole("button", { name: "Start the run" }).click();
  await hydrated(page);
  // It goes on before one's eyes, without another page.
  await page.evaluate(() => document.body.setAttribute("data-same", "page"));
  const done = () => page.locator("#run-bar").evaluate((bar: HTMLProgressElement) => bar.value);
  const before = await done();
  await expect.poll(done).toBeGreaterThan(before);
  await expect(page.locator("body[data-same]").getByText(/of 80 calls.* left/)).toBeVisible();
  // So it does on a page that is opened later.
  const later = await page.context().newPage();
  await later.goto(page.url());
  await expect.poll(() => later.locator("#run-bar").evaluate((bar: HTMLProgressElement) => bar.value)).toBeGreaterThan(before);
  await later.close();
  await page.getByRole("button", { name: "Cancel the run" }).click();
  await expect(page.getByRole("heading", { name: "No verdict" })).toBeVisible();
  await expect(page.getByText("stopped by a person")).toBeVisible();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false, expectedInConsole: [/^failed: .*\/pkg\/.*\.js csp$|status of 422/] });

  test("an experiment is set up, judged and read", async ({ page, registry }) => {
    const agent = await registry.agent("One.");
    await registry.create(agent, "1.1.0", "answer: GOOD");
    await page.goto("/lab");
    await page.getByLabel("Agent", { exact: true }).selectOption(agent);
    await page.getByLabel("Name of a new set").fill("Plain");
    await page.getByRole("button", { name: "Make the set" }).click();
    await page.getByLabel("A file of test cases").setInputFiles(file("cases.csv", "name,input\nbroken"));
    await page.getByRole("button", { name: "Import" }).click();
    await expect(page.getByRole("alert")).toContainText(/line 2/i);
    await page.getByLabel("A file of test cases").setInputFiles(file("cases.csv", cases(2)));
    await page.getByRole("button", { name: "Import" }).click();
    await expect(page.getByRole("link", { name: "Case 2", exact: true })).toBeVisible();
    await page.getByRole("link", { name: "Run it" }).click();
    await page.getByLabel("Model", { exact: true }).fill(MODEL);
    const lines = [1, 2].flatMap((number) =>
      ["a", "b"].map((side) => JSON.stringify({ case: `Case ${number}`, side, output: side === "b" ? "GOOD" : "BAD" })),
    );
    await page.getByText("Bring your own outputs").click();
    await page.getByLabel("A file of answers").setInputFiles(file("answers.jsonl", lines.join("\n")));
    await page.getByRole("button", { name: "Judge these outputs" }).click();
    await expect(page.getByRole("heading", { name: "Cannot tell" })).toBeVisible();
    await expect(page.getByText("no result could have been told from chance")).toBeVisible();
  });
});

test("what does not exist is said, with the way back", async ({ page }) => {
  for (const path of ["/lab/runs/x", "/lab/sets/x", "/lab/runs/00000000-0000-0000-0000-000000000000"]) {
    await page.goto(path);
    await expect(page.getByRole("alert")).toContainText(path.slice(path.lastIndexOf("/") + 1));
  }
});
