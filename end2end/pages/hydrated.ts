// When a page of the site can be used as scripts make it.
import type { Page } from "@playwright/test";

/** Waits until the scripts of a page have taken over. */
export async function hydrated(page: Page): Promise<void> {
  await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
}
