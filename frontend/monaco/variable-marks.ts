// Shows which variables are known and which are not.
import { editor, type IDisposable, Range } from "monaco-editor/editor";
import { knownVariables, occurrences } from "./variables";

// Long enough not to look at the whole text at each key, short enough to look immediate.
const DELAY_MS = 150;

// Monaco goes through all marks of a line at each key typed in it. Only a text without line breaks has more.
const MARKS_PER_LINE = 1000;

const KNOWN: editor.IModelDecorationOptions = {
  inlineClassName: "known-variable",
  stickiness: editor.TrackedRangeStickiness.NeverGrowsWhenTypingAtEdges,
};

/** Keeps the marks of one editor up to date until it is disposed. */
export class VariableMarks implements IDisposable {
  readonly #model: editor.ITextModel;
  readonly #marks: editor.IEditorDecorationsCollection;
  readonly #listener: IDisposable;
  #timer: number | undefined;

  constructor(codeEditor: editor.IStandaloneCodeEditor, model: editor.ITextModel) {
    this.#model = model;
    this.#marks = codeEditor.createDecorationsCollection();
    this.#listener = model.onDidChangeContent(() => this.#soon());
    this.refresh();
  }

  refresh(): void {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    const known = knownVariables(this.#model);
    const marks: editor.IModelDeltaDecoration[] = [];
    let inLine = { line: 0, count: 0 };
    for (const { name, line, start, end } of occurrences(this.#model)) {
      if (inLine.line !== line) inLine = { line, count: 0 };
      inLine.count += 1;
      if (inLine.count > MARKS_PER_LINE) continue;
      marks.push({ range: new Range(line, start, line, end), options: known.has(name) ? KNOWN : unknown(name) });
    }
    this.#marks.set(marks);
  }

  dispose(): void {
    window.clearTimeout(this.#timer);
    this.#listener.dispose();
  }

  #soon(): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.refresh(), DELAY_MS);
  }
}

function unknown(name: string): editor.IModelDecorationOptions {
  return {
    inlineClassName: "unknown-variable",
    hoverMessage: { value: `\`${name}\` is not a known variable. Check its spelling; if it is new, keep it.` },
    stickiness: editor.TrackedRangeStickiness.NeverGrowsWhenTypingAtEdges,
  };
}
