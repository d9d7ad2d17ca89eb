// Offers variables after `{{`.
import { languages, Range, type editor, type Position } from "monaco-editor/editor";
import { LANGUAGE } from "./language";
import { knownVariables, occurrences } from "./variables";

const OPENED = /\{\{([ \t]*)([A-Za-z0-9_]*)$/;
const CLOSED = /^[A-Za-z0-9_]*[ \t]*\}\}/;
const UNFINISHED = /^[A-Za-z0-9_]*/;

export function provideVariables(): void {
  languages.registerCompletionItemProvider(LANGUAGE, {
    triggerCharacters: ["{"],
    provideCompletionItems: (model, position) => ({ suggestions: suggest(model, position) }),
  });
}

function suggest(model: editor.ITextModel, position: Position): languages.CompletionItem[] {
  const line = model.getLineContent(position.lineNumber);
  const opened = OPENED.exec(line.slice(0, position.column - 1));
  if (!opened) return [];
  const [, space = "", typed = ""] = opened;
  const after = line.slice(position.column - 1);
  const replaced = (CLOSED.exec(after) ?? UNFINISHED.exec(after))?.[0].length ?? 0;
  const start = position.column - typed.length;
  const range = {
    insert: new Range(position.lineNumber, start, position.lineNumber, position.column + replaced),
    replace: new Range(position.lineNumber, start, position.lineNumber, position.column + replaced),
  };
  const known = knownVariables(model);
  const item = (name: string, order: number): languages.CompletionItem => ({
    label: name,
    kind: languages.CompletionItemKind.Variable,
    // The white space that somebody began with is mirrored.
    insertText: `${name}${space}}}`,
    filterText: name,
    // The known ones first: the others may be slips of the pen.
    sortText: `${order}${name}`,
    range,
  });
  const inText = new Set<string>();
  for (const { name } of occurrences(model)) if (!known.has(name)) inText.add(name);
  return [...[...known].map((name) => item(name, 0)), ...[...inText].map((name) => item(name, 1))];
}
