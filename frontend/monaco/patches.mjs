// Small changes of Monaco's sources at build time, where it has neither an option nor a way to leave something out. The version
// of Monaco is pinned; a patch that no longer fits stops the build.
import { readFile } from "node:fs/promises";

const PATCHES = [
  {
    // The context menu as screen readers expect it: no empty aria-checked on a plain item, which announces a check box that is
    // not there; nothing between menu and item that can itself be focused or disabled; a separator that says so.
    file: "base/browser/ui/menu/menu.js",
    edits: [
      ["this.item.setAttribute('aria-checked', '');", "this.item.removeAttribute('aria-checked');"],
      ["this.element.setAttribute('aria-disabled', 'true');", ""],
      ["    getMnemonic() {", "    setFocusable() { }\n    getMnemonic() {"],
      [
        "this.label.style.borderBottomColor",
        "this.setFocusable = () => { }; this.label.removeAttribute('tabindex'); this.label.setAttribute('role', 'separator'); " +
          "this.label.style.borderBottomColor",
      ],
    ],
  },
  {
    // The page compares texts on its own; these two would make the bundle larger for nothing.
    file: "editor/browser/widget/diffEditor/diffEditorWidget.js",
    whole: "export class DiffEditorWidget {}",
  },
  {
    file: "editor/browser/widget/multiDiffEditor/multiDiffEditorWidget.js",
    whole: "export class MultiDiffEditorWidget {}",
  },
];

/** An esbuild plugin that applies the patches and fails the build when one was not used. */
export function patches() {
  const waiting = new Set(PATCHES);
  return {
    name: "patches",
    setup(build) {
      for (const patch of PATCHES) {
        const ending = patch.file.replaceAll(".", "\\.");
        build.onLoad({ filter: new RegExp(`monaco-editor/esm/vs/${ending}$`) }, async ({ path }) => {
          waiting.delete(patch);
          return { contents: patch.whole ?? edited(await readFile(path, "utf8"), patch), loader: "js" };
        });
      }
      build.onEnd(() => ({ errors: [...waiting].map(({ file }) => ({ text: `${file} is no longer in the bundle` })) }));
    },
  };
}

function edited(source, { file, edits }) {
  for (const [from, to] of edits) {
    if (source.split(from).length !== 2) throw new Error(`${file} must hold exactly once: ${from}`);
    source = source.replace(from, to);
  }
  return source;
}
