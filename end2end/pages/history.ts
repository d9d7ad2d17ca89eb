// The versions of an agent, or of all of them.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

export class HistoryPage {
  readonly filters: Locator;
  readonly count: Locator;
  readonly compare: Locator;
  readonly steps: Locator;
  /** What was chosen on another page. */
  readonly carried: Locator;
  /** In sight only where the rows are blocks. */
  readonly sort: Locator;
  readonly timeLine: Locator;
  readonly done: Locator;

  constructor(readonly page: Page) {
    this.filters = page.getByRole("search", { name: "Filter the versions" });
    this.count = page.getByRole("heading", { name: /versions?$/ });
    this.compare = page.getByRole("button", { name: "Compare the chosen" });
    this.steps = page.getByRole("navigation", { name: "Pages", exact: true });
    this.carried = page.getByText("Chosen on another page:");
    this.sort = page.getByRole("navigation", { name: "Sort" });
    this.timeLine = page.getByRole("region", { name: "What was live when" }).getByRole("listitem");
    this.done = page.locator("tr.done");
  }

  /** Opens the history of an agent; of all agents without one. */
  async open(agentType?: string, query = ""): Promise<void> {
    await this.page.goto(`${agentType ? `/agents/${agentType}` : "/history"}${query}`);
    await hydrated(this.page);
  }

  row(version: string): Locator {
    return this.page.getByRole("row").filter({ has: this.page.getByRole("link", { name: version, exact: true }) });
  }

  status(version: string): Locator {
    return this.row(version).locator("td[data-label=Status]");
  }

  /** The versions as they stand, from the top. */
  get versions(): Locator {
    return this.page.locator("table.versions tbody th a.version");
  }

  column(name: string): Locator {
    return this.page.getByRole("columnheader", { name });
  }

  pick(version: string, side: "base" | "head"): Locator {
    return this.page.getByRole("radio", { name: `Compare ${version} as the ${side}` });
  }

  promote(version: string): Locator {
    return this.page.getByRole("link", { name: `Promote ${version}`, exact: true });
  }

  fixForward(version: string): Locator {
    return this.page.getByRole("link", { name: `Fix forward with the text of ${version}`, exact: true });
  }
}
