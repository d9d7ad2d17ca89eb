// Where prompts are written.
import type { Locator, Page } from "@playwright/test";
import { hydrated } from "./hydrated.js";

export class EditorPage {
  /** The text in Monaco. */
  readonly text: Locator;
  /** Monaco as a whole. */
  readonly editor: Locator;
  /** What Monaco offers to complete a word with. */
  readonly suggestions: Locator;
  /** Monaco's search. */
  readonly find: Locator;
  /** The text in the page's own text area: what there is without scripts. */
  readonly area: Locator;
  readonly textProblem: Locator;
  readonly size: Locator;
  readonly panel: Locator;
  readonly notes: Locator;
  readonly author: Locator;
  readonly agentType: Locator;
  readonly save: Locator;
  readonly saveAndPromote: Locator;
  readonly conflict: Locator;
  readonly draft: Locator;
  readonly kept: Locator;
  /** The version to start from. */
  readonly from: Locator;
  /** What says that the text is that of its base. */
  readonly same: Locator;

  constructor(readonly page: Page) {
    this.text = page.getByRole("textbox", { name: /^Prompt\. / });
    this.editor = page.locator(".monaco .monaco-editor").first();
    this.suggestions = page.locator(".suggest-widget.visible .monaco-list-row");
    this.find = this.editor.locator(".find-widget.visible");
    this.area = page.getByRole("textbox", { name: "Prompt", exact: true });
    this.textProblem = page.locator("#text-problem");
    this.size = page.getByLabel("Size of the text");
    this.panel = page.locator(".panel");
    this.notes = page.getByLabel("What changes, and why");
    this.author = page.getByLabel("Your name");
    this.agentType = page.getByLabel("Agent type");
    this.save = page.getByRole("button", { name: "Save as new version" });
    this.saveAndPromote = page.getByRole("button", { name: "Save and promote" });
    this.conflict = page.getByRole("alert").filter({ has: page.getByRole("heading", { name: /while you were writing/ }) });
    this.draft = page.getByRole("status").filter({ hasText: "did not save it" });
    this.from = page.locator(".edit-from [name=from]").first();
    this.same = page.getByText("saved now, two versions have the same text");
    this.kept = page.getByRole("status").filter({ hasText: /this browser keeps|Nothing is written/ });
  }

  /** Opens the editor of an agent; without one, that of a new agent. */
  async open(agentType?: string, from = ""): Promise<void> {
    await this.page.goto(agentType ? `/agents/${agentType}/edit${from && `?from=${from}`}` : "/new");
    await this.ready();
  }

  /** Waits until Monaco has taken the text area's place. */
  async ready(): Promise<void> {
    await hydrated(this.page);
    await this.text.waitFor({ state: "attached" });
  }

  /** Writes below the last line. */
  async append(text: string): Promise<void> {
    await this.text.focus();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text);
  }

  /** Writes another text over all of it. */
  async replace(text: string): Promise<void> {
    await this.text.focus();
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.insertText(text);
  }

  /** Pastes another text over all of it, as one does with a long one. */
  async paste(text: string): Promise<void> {
    await this.page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await this.text.focus();
    await this.page.keyboard.press("Control+A");
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.page.keyboard.press("Control+V");
  }

  /** Writes another text over one line, counted from 1. */
  async replaceLine(line: number, text: string): Promise<void> {
    await this.text.focus();
    await this.page.keyboard.press("Control+Home");
    for (let below = 1; below < line; below += 1) await this.page.keyboard.press("ArrowDown");
    await this.page.keyboard.press("Home");
    await this.page.keyboard.press("Shift+End");
    await this.page.keyboard.insertText(text);
  }

  /** The lines that Monaco shows, from the top. */
  async lines(): Promise<string[]> {
    return this.page.locator(".monaco .view-line").evaluateAll((lines) =>
      lines
        .toSorted((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
        .map((line) => (line.textContent ?? "").replaceAll("\u00a0", " ")),
    );
  }

  /** A piece of the text that has one style. */
  piece(text: string): Locator {
    const spaced = text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(" ", "\\s");
    return this.editor.locator(".view-line span span").filter({ hasText: new RegExp(`^${spaced}$`) });
  }

  /** The controls of the sections that are open, or folded away. */
  folded(state: "expanded" | "collapsed"): Locator {
    return this.editor.locator(`.codicon-folding-${state}`);
  }

  /** Brings the draft back that is offered. */
  async restore(): Promise<void> {
    await this.draft.getByRole("button", { name: "Restore it" }).click();
  }

  /** Write, Preview or Changes. */
  tab(name: string): Locator {
    return this.page.getByRole("button", { name, exact: true });
  }

  bump(name: "Patch" | "Minor" | "Major"): Locator {
    return this.page.getByRole("radio", { name: new RegExp(`^${name}`) });
  }

  /** The field for the value of a variable in the preview. */
  value(name: string): Locator {
    return this.panel.locator(`input[name="value.${name}"]`);
  }
}
