// What editor.ts loads: Monaco, what we add to it, and the way to make an editor.
import "./features";
import "./prompt-editor.css";
import { provideFolding } from "./folding";
import { registerLanguage } from "./language";
import { PromptEditor } from "./prompt-editor";
import { provideVariables } from "./completion";

registerLanguage();
provideFolding();
provideVariables();

/** Tells Monaco where its worker is. A file of our own origin, because the page's policy forbids workers from blobs. */
export function useWorker(url: string): void {
  self.MonacoEnvironment = {
    getWorker: (_id, label) => new Worker(url, { type: "module", name: label }),
  };
}

/** Puts an editor into `host`, which must have a height. `onChange` is called at each change of the text, `onSave` at
 * Ctrl+Enter (Command+Enter on a Mac). */
export function create(
  host: HTMLElement,
  value: string,
  knownVariables: string[],
  ariaLabel: string,
  onChange: () => void,
  onSave: () => void,
): PromptEditor {
  return new PromptEditor(host, value, knownVariables, ariaLabel, onChange, onSave);
}
