// The first page, as a person uses it.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

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
    await hydrated(this.page);
  }

  /** What reaches beyond the place that it stands in: the page beyond the window, the table or a version beyond its section. */
  async outOfSight(): Promise<string[]> {
    return this.page.evaluate(() => {
      const found: string[] = [];
      const root = document.documentElement;
      if (root.scrollWidth > root.clientWidth) found.push(`the page: ${root.scrollWidth}`);
      for (const element of document.querySelectorAll(".agents, .chip, .rail a")) {
        const right = element.getBoundingClientRect().right;
        const end = element.closest("section, nav")?.getBoundingClientRect().right ?? root.clientWidth;
        if (right > end + 1) found.push(`${element.textContent?.slice(0, 40)}: ${right} of ${end}`);
      }
      return found;
    });
  }

  row(agentType: string): Locator {
    return this.page.getByRole("row").filter({ has: this.page.getByRole("link", { name: agentType, exact: true }) });
  }
}
