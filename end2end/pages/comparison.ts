// Two versions beside each other.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

/** The list of a side. What is filled in is chosen there; a version that the list does not have is typed beside it. */
function side(chooser: Locator, name: string): Locator {
  const list = chooser.getByLabel(name, { exact: true });
  const typed = chooser.getByLabel(`Other ${name.toLowerCase()}`, { exact: true });
  const fill = async (version: string): Promise<void> => {
    await list.waitFor();
    const offered = await list.locator("option").evaluateAll((options) => options.map((option) => option.getAttribute("value")));
    if (offered.includes(version)) {
      await list.selectOption(version);
      return;
    }
    if (!(await typed.isVisible())) await chooser.getByText("An older version").click();
    await typed.fill(version);
  };
  return Object.assign(list, { fill });
}

export class ComparisonPage {
  readonly chooser: Locator;
  readonly base: Locator;
  readonly head: Locator;
  readonly swap: Locator;
  readonly summary: Locator;
  readonly table: Locator;
  readonly changes: Locator;
  readonly folds: Locator;
  readonly figures: Locator;
  readonly patch: Locator;
  readonly sides: Locator;

  constructor(readonly page: Page) {
    this.chooser = page.getByRole("form", { name: "Choose two versions" });
    this.base = side(this.chooser, "Base");
    this.head = side(this.chooser, "Head");
    this.swap = page.getByRole("link", { name: "Swap the two" });
    const difference = page.getByRole("region", { name: "Difference" });
    this.summary = difference.getByRole("status").first();
    this.table = difference.locator("table.diff");
    this.changes = this.table.locator("[data-change]");
    this.folds = this.table.getByRole("link", { name: /^Show \d+ unchanged lines/ });
    this.figures = page.getByRole("region", { name: "In numbers" });
    this.patch = difference.getByRole("link", { name: "Patch", exact: true });
    this.sides = page.locator(".sides .side");
  }

  async open(agentType: string, base: string, head: string, more = ""): Promise<void> {
    await this.page.goto(`/agents/${agentType}/compare?base=${base}&head=${head}${more}`);
    await hydrated(this.page);
  }

  /** Two columns, Unified, Ignore white space, Unfold all… */
  view(name: string): Locator {
    return this.page.getByRole("region", { name: "Difference" }).getByRole("link", { name, exact: true });
  }
}
