// What stands above every page of an agent, and beside it.
import type { Locator, Page } from "@playwright/test";

export class AgentHeader {
  readonly header: Locator;
  readonly rail: Locator;
  readonly toast: Locator;

  constructor(readonly page: Page) {
    this.header = page.locator("header.agent-head");
    this.rail = page.getByRole("navigation", { name: "Agents" });
    this.toast = page.locator(".toast");
  }

  /** History, Edit or Compare. */
  tab(name: string): Locator {
    return this.header.getByRole("navigation", { name: "Pages of this agent" }).getByRole("link", { name, exact: true });
  }

  /** The agent's place in the list at the left. */
  inRail(agentType: string): Locator {
    return this.rail.locator(".rail-list").getByRole("link").filter({ has: this.page.getByText(agentType, { exact: true }) });
  }
}
