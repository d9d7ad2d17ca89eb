// The question before something goes live.
import type { Locator, Page } from "@playwright/test";

export class PromotionDialog {
  readonly dialog: Locator;
  readonly going: Locator;
  readonly size: Locator;
  readonly difference: Locator;
  readonly problem: Locator;
  readonly author: Locator;
  readonly notes: Locator;
  readonly cancel: Locator;
  readonly confirm: Locator;

  constructor(readonly page: Page) {
    this.dialog = page.getByRole("dialog", { name: /^(Promote|Fix forward)/ });
    this.going = this.dialog.locator(".going");
    this.size = this.dialog.locator(".size");
    this.difference = this.dialog.getByRole("link", { name: "See the difference" });
    this.problem = this.dialog.getByRole("alert");
    this.author = this.dialog.getByLabel("Your name");
    this.notes = this.dialog.getByLabel("Notes");
    this.cancel = this.dialog.getByRole("link", { name: "Cancel" });
    this.confirm = this.dialog.getByRole("button", { name: /^(Promote|Make it live)/ });
  }

  /** Says yes, and waits for the page that comes back. */
  async agree(): Promise<void> {
    await this.confirm.click();
    await this.page.waitForURL(/[?&]done=/);
  }
}
