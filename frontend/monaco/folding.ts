// Folds sections by their headings, and fenced blocks.
import { languages, type editor } from "monaco-editor/editor";
import { LANGUAGE } from "./language";

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]|$)/;
const FENCE = /^[ \t]*(`{3,}|~{3,})/;

export function provideFolding(): void {
  languages.registerFoldingRangeProvider(LANGUAGE, { provideFoldingRanges: (model) => foldingRanges(model) });
}

function foldingRanges(model: editor.ITextModel): languages.FoldingRange[] {
  const ranges: languages.FoldingRange[] = [];
  const open: { level: number; line: number }[] = [];
  let fence: { mark: string; line: number } | undefined;
  let lastText = 0;

  // A section ends at the last line of text before the next heading of its rank; blank lines stay visible.
  const close = (level: number): void => {
    for (let section = open.at(-1); section && section.level >= level; section = open.at(-1)) {
      open.pop();
      if (lastText > section.line) ranges.push({ start: section.line, end: lastText });
    }
  };

  const lines = model.getLineCount();
  for (let line = 1; line <= lines; line += 1) {
    const text = model.getLineContent(line);
    const mark = FENCE.exec(text)?.[1];
    if (fence) {
      if (mark?.startsWith(fence.mark) && text.trim() === mark) {
        ranges.push({ start: fence.line, end: line });
        fence = undefined;
      }
    } else if (mark) {
      fence = { mark, line };
    } else {
      const level = HEADING.exec(text)?.[1]?.length;
      if (level) {
        close(level);
        open.push({ level, line });
      }
    }
    if (text.trim() !== "") lastText = line;
  }
  close(1);
  return ranges;
}
