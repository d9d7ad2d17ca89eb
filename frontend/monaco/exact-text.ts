// Monaco makes all line endings of a text equal and swallows a byte order mark. A prompt must come back as it was given, so this
// keeps what Monaco would change. Inside of Monaco every line ends with `\n`.
//
// - A text that was not edited, or whose edits were undone, comes back exactly.
// - An edited text gets the ending that most of its given lines had: `\r\n` if it was more than half of them, else `\n`. Mixed
//   endings are therefore made one by the first edit, and by nothing else.
// - A byte order mark is a character like any other: it is kept, shown, and can be deleted.
import { editor } from "monaco-editor/editor";
import { LANGUAGE } from "./language";
import { smallestEdit } from "./smallest-edit";

const MARK = "\uFEFF";
const ENDING = /\r\n|\r|\n/g;

interface Form {
  ending: "\n" | "\r\n";
  /** The text itself, where the ending does not say enough. */
  exact?: string;
}

/** A Monaco text that can be read and written without loss. */
export class ExactText {
  readonly model: editor.ITextModel;
  // By Monaco's number of a state of the text, which comes back when an edit is undone or done again. (Monaco could change the
  // ending as a step of its own, but mixes up offsets when it does that step again.)
  readonly #forms = new Map<number, Form>();
  #ending: Form["ending"];

  constructor(text: string) {
    this.#ending = mainEnding(text);
    const marked = text.startsWith(MARK);
    this.model = editor.createModel(marked ? text.slice(MARK.length) : text, LANGUAGE);
    this.model.setEOL(editor.EndOfLineSequence.LF);
    this.model.updateOptions({ tabSize: 2, insertSpaces: true });
    if (marked) this.model.applyEdits([{ range: this.model.getFullModelRange().collapseToStart(), text: MARK }]);
    this.#remember(text);
    this.model.onDidChangeContent(() => {
      this.#ending = this.#form()?.ending ?? this.#ending;
    });
  }

  read(): string {
    return this.#form()?.exact ?? this.#join();
  }

  /** Replaces the text as one step that can be undone. Says whether Monaco tells its listeners: it does not when only line
   * endings differ, which cannot be undone either. */
  write(text: string): "nothing changed" | "told" | "not told" {
    const before = this.read();
    if (text === before) return "nothing changed";
    this.#remember(before);
    const edit = smallestEdit(this.model, text.replace(ENDING, "\n"));
    if (edit) {
      this.model.pushStackElement();
      this.model.pushEditOperations(null, [edit], () => null);
      this.model.pushStackElement();
    }
    this.#ending = mainEnding(text);
    this.#remember(text);
    return edit ? "told" : "not told";
  }

  #form(): Form | undefined {
    return this.#forms.get(this.model.getAlternativeVersionId());
  }

  #join(): string {
    const text = this.model.getValue();
    return this.#ending === "\n" ? text : text.replaceAll("\n", this.#ending);
  }

  #remember(text: string): void {
    const form: Form = { ending: this.#ending };
    if (this.#join() !== text) form.exact = text;
    this.#forms.set(this.model.getAlternativeVersionId(), form);
  }
}

function mainEnding(text: string): Form["ending"] {
  const all = text.match(ENDING) ?? [];
  const long = all.filter((ending) => ending === "\r\n").length;
  return long > all.length / 2 ? "\r\n" : "\n";
}
