// The editor in the colours of the page. They stand in style/_tokens.scss and nowhere else: here they are read from the page, at
// the beginning and whenever its theme changes.
import { editor, type IDisposable } from "monaco-editor/editor";

const DARK = "(prefers-color-scheme: dark)";

/** Keeps Monaco's theme equal to the page's until it is disposed. Monaco has one theme for all its editors. */
export class ThemeFollower implements IDisposable {
  readonly #root = new MutationObserver(() => applyTheme());
  readonly #system = window.matchMedia(DARK);

  constructor() {
    this.#root.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.#system.addEventListener("change", applyTheme);
    applyTheme();
  }

  dispose(): void {
    this.#root.disconnect();
    this.#system.removeEventListener("change", applyTheme);
  }
}

function applyTheme(): void {
  const style = getComputedStyle(document.documentElement);
  const dark = style.colorScheme === "dark";
  const name = dark ? "verbatim-dark" : "verbatim-light";
  const color = reader(style);
  editor.defineTheme(name, { base: dark ? "vs-dark" : "vs", inherit: true, rules: rules(color), colors: colors(color) });
  editor.setTheme(name);
}

type Color = (property: string) => string;

/** Monaco understands only `#rrggbb`; a canvas turns whatever the style sheet says into that. */
function reader(style: CSSStyleDeclaration): Color {
  const canvas = document.createElement("canvas").getContext("2d");
  return (property) => {
    const value = style.getPropertyValue(property).trim();
    if (!canvas || !value) return "#808080";
    canvas.fillStyle = value;
    return canvas.fillStyle;
  };
}

function rules(color: Color): editor.ITokenThemeRule[] {
  const rule = (token: string, property: string, fontStyle?: string): editor.ITokenThemeRule => ({
    token,
    foreground: color(property).slice(1),
    ...(fontStyle ? { fontStyle } : {}),
  });
  return [
    rule("", "--text"),
    rule("heading", "--accent", "bold"),
    rule("strong", "--text", "bold"),
    rule("emphasis", "--text", "italic"),
    rule("code", "--text-soft"),
    rule("fence", "--text-soft"),
    rule("comment", "--text-soft", "italic"),
    rule("list", "--accent"),
    rule("quote.mark", "--accent"),
    rule("punctuation", "--text-soft"),
    rule("link", "--accent"),
    rule("link.target", "--text-soft", "underline"),
    rule("tag", "--accent"),
    rule("attribute", "--text-soft"),
    rule("string", "--text-soft", "italic"),
    rule("variable", "--accent"),
  ];
}

function colors(color: Color): Record<string, string> {
  const surface = color("--surface");
  const low = color("--surface-low");
  const high = color("--surface-high");
  const line = color("--line");
  const strong = color("--line-strong");
  const text = color("--text");
  const soft = color("--text-soft");
  const faint = color("--text-faint");
  const accent = color("--accent");
  const accentSoft = color("--accent-soft");
  const draft = color("--draft");
  const draftSoft = color("--draft-soft");
  const danger = color("--danger");
  const none = "#00000000";
  return {
    foreground: text,
    descriptionForeground: soft,
    errorForeground: danger,
    disabledForeground: faint,
    "icon.foreground": soft,
    focusBorder: accent,
    "widget.shadow": none,
    "widget.border": strong,
    "textLink.foreground": accent,
    "textLink.activeForeground": accent,
    "textCodeBlock.background": low,

    "editor.background": surface,
    "editor.foreground": text,
    "editor.lineHighlightBackground": low,
    "editor.lineHighlightBorder": none,
    "editor.selectionBackground": `${accent}29`,
    "editor.inactiveSelectionBackground": `${accent}1f`,
    "editor.selectionHighlightBackground": `${accent}0f`,
    "editor.selectionHighlightBorder": none,
    "editor.findMatchBackground": draftSoft,
    "editor.findMatchBorder": draft,
    "editor.findMatchHighlightBackground": `${draft}1f`,
    "editor.findRangeHighlightBackground": `${accent}1a`,
    "editor.rangeHighlightBackground": low,
    "editor.foldBackground": none,
    "editor.foldPlaceholderForeground": soft,
    "editor.hoverHighlightBackground": none,
    "editorCursor.foreground": accent,
    "editorLineNumber.foreground": faint,
    "editorLineNumber.activeForeground": text,
    "editorLineNumber.dimmedForeground": faint,
    "editorGutter.foldingControlForeground": soft,
    "editorWhitespace.foreground": strong,
    "editorUnicodeHighlight.border": draft,
    "editorUnicodeHighlight.background": draftSoft,

    "editorWidget.background": high,
    "editorWidget.foreground": text,
    "editorWidget.border": strong,
    "editorHoverWidget.background": high,
    "editorHoverWidget.foreground": text,
    "editorHoverWidget.border": strong,
    "editorHoverWidget.statusBarBackground": low,
    "editorSuggestWidget.background": high,
    "editorSuggestWidget.foreground": text,
    "editorSuggestWidget.border": strong,
    "editorSuggestWidget.highlightForeground": accent,
    "editorSuggestWidget.focusHighlightForeground": accent,
    "editorSuggestWidget.selectedBackground": accentSoft,
    "editorSuggestWidget.selectedForeground": text,
    "editorSuggestWidget.selectedIconForeground": text,
    "symbolIcon.variableForeground": soft,

    "input.background": surface,
    "input.foreground": text,
    "input.border": strong,
    "input.placeholderForeground": faint,
    "inputOption.activeBackground": accentSoft,
    "inputOption.activeForeground": text,
    "inputOption.activeBorder": accent,
    "inputOption.hoverBackground": low,
    "inputValidation.errorBackground": color("--danger-soft"),
    "inputValidation.errorForeground": text,
    "inputValidation.errorBorder": danger,
    "inputValidation.infoBackground": accentSoft,
    "inputValidation.infoForeground": text,
    "inputValidation.infoBorder": accent,
    "toolbar.hoverBackground": low,
    "sash.hoverBorder": accent,

    "list.hoverBackground": low,
    "list.hoverForeground": text,
    "list.activeSelectionBackground": accentSoft,
    "list.activeSelectionForeground": text,
    "list.focusBackground": accentSoft,
    "list.focusForeground": text,
    "list.highlightForeground": accent,
    "list.focusHighlightForeground": accent,
    "menu.background": high,
    "menu.foreground": text,
    "menu.border": strong,
    "menu.selectionBackground": accentSoft,
    "menu.selectionForeground": text,
    "menu.separatorBackground": line,

    "scrollbar.shadow": none,
    "scrollbarSlider.background": `${faint}59`,
    "scrollbarSlider.hoverBackground": `${faint}99`,
    "scrollbarSlider.activeBackground": `${faint}cc`,
    "editorOverviewRuler.border": none,
  };
}
