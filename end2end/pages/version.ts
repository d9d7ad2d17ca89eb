// One version, whole.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

export class VersionPage {
  readonly text: Locator;
  readonly about: Locator;
  readonly promote: Locator;
  readonly compare: Locator;
  readonly raw: Locator;
  readonly copy: Locator;
  readonly title: Locator;

  constructor(readonly page: Page) {
    this.text = page.locator("pre.prompt");
    this.about = page.getByRole("complementary", { name: "About this version" });
    this.title = page.locator(".version-head .title");
    this.promote = page.getByRole("link", { name: /^(Promote \d|Fix forward)/ });
    this.compare = page.getByRole("link", { name: /^Compare with / });
    this.raw = page.getByRole("link", { name: "Raw", exact: true });
    this.copy = page.getByRole("button", { name: /Cop/ });
  }

  async open(agentType: string, version: string): Promise<void> {
    await this.page.goto(`/agents/${agentType}/versions/${version}`);
    await hydrated(this.page);
  }

  /** Waits until a save has led here. */
  async saved(agentType: string, version: string): Promise<void> {
    await this.page.waitForURL((url) => url.pathname === `/agents/${agentType}/versions/${version}`);
    await hydrated(this.page);
  }
}
