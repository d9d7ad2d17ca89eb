// What the page holds in its hands.
import { editor, type IDisposable, KeyCode, KeyMod, Range } from "monaco-editor/editor";
import { ExactText } from "./exact-text";
import { options } from "./options";
import { ThemeFollower } from "./theme";
import { VariableMarks } from "./variable-marks";
import { setKnownVariables } from "./variables";

/** An editor of one prompt. After `dispose` no callback fires, and every method does nothing. */
export class PromptEditor {
  readonly #text: ExactText;
  readonly #editor: editor.IStandaloneCodeEditor;
  readonly #marks: VariableMarks;
  readonly #parts: IDisposable[];
  readonly #place: HTMLElement;
  readonly #onChange: () => void;
  // The text when it was disposed: a late save must not find an empty one.
  #lastText: string | undefined;

  constructor(
    host: HTMLElement,
    value: string,
    knownVariables: readonly string[],
    ariaLabel: string,
    onChange: () => void,
    onSave: () => void,
  ) {
    // First, so that the editor never appears in a theme that is not the page's.
    const theme = new ThemeFollower();
    this.#text = new ExactText(value);
    const model = this.#text.model;
    this.#onChange = onChange;
    // Monaco leaves traces on the element that it is given; this one goes away with it.
    this.#place = host.ownerDocument.createElement("div");
    this.#place.style.height = "100%";
    // Monaco's name for where its colours hold: its menus stand here, outside of the editor itself.
    this.#place.className = "monaco-component";
    host.append(this.#place);
    setKnownVariables(model, knownVariables);
    colourTheBeginning(model);
    this.#editor = editor.create(this.#place, { ...options(ariaLabel), model });
    this.#marks = new VariableMarks(this.#editor, model);
    this.#parts = [
      model.onDidChangeContent(() => {
        if (!this.isDisposed()) onChange();
      }),
      this.#editor.addAction({
        id: "verbatim.save",
        label: "Save",
        keybindings: [KeyMod.CtrlCmd | KeyCode.Enter],
        run: () => {
          if (!this.isDisposed()) onSave();
        },
      }),
      this.#marks,
      this.#editor,
      model,
      theme,
    ];
  }

  /** The text, exactly as given where it was not edited; see exact-text.ts about line endings. */
  getValue(): string {
    return this.#lastText ?? this.#text.read();
  }

  /** Replaces the text. It can be undone. */
  setValue(text: string): void {
    if (this.isDisposed()) return;
    if (this.#text.write(text) === "not told") this.#onChange();
  }

  setKnownVariables(names: readonly string[]): void {
    if (this.isDisposed()) return;
    setKnownVariables(this.#text.model, names);
    this.#marks.refresh();
  }

  /** Takes the focus, with what is selected between two places of the text, in UTF-16 units as a text area counts them. */
  focus(start: number, end: number): void {
    if (this.isDisposed()) return;
    const { model } = this.#text;
    const selection = Range.fromPositions(model.getPositionAt(start), model.getPositionAt(end));
    this.#editor.setSelection(selection);
    this.#editor.revealRange(selection);
    this.#editor.focus();
  }

  /** Shows a line, counted from 1, in the middle, and puts the cursor there. */
  revealLine(line: number): void {
    if (this.isDisposed()) return;
    const lineNumber = Math.min(Math.max(Math.trunc(line) || 1, 1), this.#text.model.getLineCount());
    this.#editor.setPosition({ lineNumber, column: 1 });
    this.#editor.revealLineInCenter(lineNumber);
  }

  dispose(): void {
    if (this.isDisposed()) return;
    this.#lastText = this.#text.read();
    for (const part of this.#parts) part.dispose();
    this.#place.remove();
  }

  isDisposed(): boolean {
    return this.#lastText !== undefined;
  }
}

// About what a window shows, and little enough not to be noticed.
const COLOURED_CHARACTERS = 20_000;
const COLOURED_LINES = 60;

/** Monaco colours a text when nothing else is to be done, which on a busy machine shows it plain at first. */
function colourTheBeginning(model: editor.ITextModel): void {
  let line = 0;
  for (let characters = 0; line < Math.min(COLOURED_LINES, model.getLineCount()); line += 1) {
    characters += model.getLineLength(line + 1);
    if (characters > COLOURED_CHARACTERS) break;
  }
  // Of what it gives nothing is needed: it looks at this line and all above.
  if (line > 0) editor.colorizeModelLine(model, line);
}
