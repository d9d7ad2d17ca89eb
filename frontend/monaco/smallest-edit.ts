// Replacing only what differs keeps the cursor, the folds and the place on the screen, and makes undo cheap.
import { Range, type editor } from "monaco-editor/editor";

/** The edit that makes `model` hold `text`, whose line endings must be those of the model. */
export function smallestEdit(model: editor.ITextModel, text: string): editor.IIdentifiedSingleEditOperation | undefined {
  const before = model.getValue();
  if (before === text) return undefined;
  const shorter = Math.min(before.length, text.length);
  let start = 0;
  while (start < shorter && before[start] === text[start]) start += 1;
  while (start > 0 && splitsPair(before, start)) start -= 1;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  while (end > 0 && (splitsPair(before, before.length - end) || splitsPair(text, text.length - end))) end -= 1;
  const from = model.getPositionAt(start);
  const to = model.getPositionAt(before.length - end);
  return { range: Range.fromPositions(from, to), text: text.slice(start, text.length - end) };
}

/** Whether `offset` lies inside of `\r\n` or of a character that takes two units. */
function splitsPair(text: string, offset: number): boolean {
  const left = text.charCodeAt(offset - 1);
  const right = text.charCodeAt(offset);
  return (left === 0x0d && right === 0x0a) || (left >= 0xd800 && left <= 0xdbff && right >= 0xdc00 && right <= 0xdfff);
}
