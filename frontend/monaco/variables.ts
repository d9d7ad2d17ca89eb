// What a variable looks like: `{{ name }}`, on one line.
import type { editor } from "monaco-editor/editor";

const VARIABLE = /\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}/g;

/** A variable in a text; columns count from 1, as Monaco does. */
export interface Occurrence {
  name: string;
  line: number;
  start: number;
  end: number;
}

/** All variables of a text, line by line. */
export function* occurrences(model: editor.ITextModel): Generator<Occurrence> {
  const lines = model.getLineCount();
  for (let line = 1; line <= lines; line += 1) {
    for (const match of model.getLineContent(line).matchAll(VARIABLE)) {
      const start = match.index + 1;
      yield { name: match[1]!, line, start, end: start + match[0].length };
    }
  }
}

// Monaco asks for completions by language, not by editor; this is how the answer finds the editor's names.
const known = new WeakMap<editor.ITextModel, ReadonlySet<string>>();

/** The variables that are known where this text is edited. */
export function knownVariables(model: editor.ITextModel): ReadonlySet<string> {
  return known.get(model) ?? new Set();
}

export function setKnownVariables(model: editor.ITextModel, names: readonly string[]): void {
  known.set(model, new Set(names));
}
