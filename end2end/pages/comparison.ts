// Two versions beside each other.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

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
    this.base = this.chooser.getByLabel("Base");
    this.head = this.chooser.getByLabel("Head");
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
