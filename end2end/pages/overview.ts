// The first page, as a person uses it.
import type { Locator, Page } from "@playwright/test";

export class OverviewPage {
  readonly heading: Locator;
  readonly rail: Locator;
  readonly events: Locator;
  readonly theme: Locator;
  readonly help: Locator;

  constructor(readonly page: Page) {
    this.heading = page.getByRole("heading", { level: 1 });
    this.rail = page.getByRole("navigation", { name: "Agents" });
    this.events = page.getByRole("region", { name: "Recent activity" }).getByRole("listitem");
    this.theme = page.getByRole("button", { name: "Theme" });
    this.help = page.getByRole("dialog", { name: "Keys" });
  }

  /** Opens the page and waits until the scripts have taken over. */
  async open(): Promise<void> {
    await this.page.goto("/");
    await this.hydrated();
  }

  async hydrated(): Promise<void> {
    await this.page.locator("html[data-hydrated]").waitFor({ state: "attached" });
  }

  row(agentType: string): Locator {
    return this.page.getByRole("row").filter({ has: this.page.getByRole("link", { name: agentType, exact: true }) });
  }
}
