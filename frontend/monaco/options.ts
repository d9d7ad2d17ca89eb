// How an editor of prompts differs from one of code.
import type { editor } from "monaco-editor/editor";

export function options(ariaLabel: string): editor.IStandaloneEditorConstructionOptions {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    ariaLabel,
    accessibilitySupport: "auto",
    automaticLayout: true,
    fixedOverflowWidgets: true,

    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim() || "monospace",
    fontSize: 13,
    lineHeight: 20,
    fontLigatures: false,
    padding: { top: 8, bottom: 8 },
    cursorBlinking: still ? "solid" : "blink",

    wordWrap: "on",
    wrappingIndent: "same",
    lineNumbers: "on",
    lineNumbersMinChars: 3,
    minimap: { enabled: false },
    rulers: [],
    overviewRulerLanes: 0,
    overviewRulerBorder: false,
    hideCursorInOverviewRuler: true,
    scrollBeyondLastLine: false,
    // At the ends of the text the page scrolls on, so that nobody is caught by the wheel.
    scrollbar: { alwaysConsumeMouseWheel: false, useShadows: false },
    stickyScroll: { enabled: false },
    renderLineHighlight: "line",
    renderWhitespace: "selection",
    guides: { indentation: false, bracketPairs: false },
    bracketPairColorization: { enabled: false },
    matchBrackets: "never",
    occurrencesHighlight: "off",
    colorDecorators: false,
    links: false,
    lightbulb: { enabled: "off" as editor.ShowLightbulbIconMode },
    dragAndDrop: false,
    dropIntoEditor: { enabled: false },
    pasteAs: { enabled: false },

    // Prose: nothing is proposed, closed or changed unless somebody asks for it.
    quickSuggestions: false,
    wordBasedSuggestions: "off",
    acceptSuggestionOnCommitCharacter: false,
    suggest: { showStatusBar: false, preview: false },
    inlineSuggest: { enabled: false },
    parameterHints: { enabled: false },
    autoClosingBrackets: "never",
    autoClosingQuotes: "never",
    autoIndent: "keep",
    formatOnPaste: false,
    formatOnType: false,
    unusualLineTerminators: "off",
    find: { addExtraSpaceOnTop: false, seedSearchStringFromSelection: "selection" },

    // Other scripts are text like ours; characters without a shape are worth a mark.
    unicodeHighlight: { invisibleCharacters: true, ambiguousCharacters: false, nonBasicASCII: false },

    // The limits that keep one megabyte usable. A longer line is shown without colours.
    largeFileOptimizations: true,
    maxTokenizationLineLength: 20_000,
  };
}
