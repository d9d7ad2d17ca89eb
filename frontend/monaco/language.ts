// The language of prompts: Markdown, `{{ variables }}` and tags like those of XML.
import { languages } from "monaco-editor/editor";

export const LANGUAGE = "verbatim-prompt";

export function registerLanguage(): void {
  languages.register({ id: LANGUAGE });
  languages.setLanguageConfiguration(LANGUAGE, CONFIGURATION);
  languages.setMonarchTokensProvider(LANGUAGE, TOKENS);
}

// No brackets and no pairs that close by themselves: in prose they are in the way.
const CONFIGURATION: languages.LanguageConfiguration = {
  brackets: [],
  autoClosingPairs: [],
  surroundingPairs: ["`", '"', "'", "*", "_"].map((mark) => ({ open: mark, close: mark })),
};

const TOKENS: languages.IMonarchLanguage = {
  defaultToken: "",
  tokenPostfix: "",
  // Line feeds are seen, so that what ends with its line (a heading, a bold word never closed) does end there.
  includeLF: true,
  variable: /\{\{[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*\}\}/,
  tokenizer: {
    root: [
      // The fence is part of the state's name: only the same one closes it.
      [/^[ \t]*(`{3,})[^`\n]*(?=\n|$)/, { token: "fence", next: "@fenced.$1" }],
      [/^[ \t]*(~{3,})[^\n]*(?=\n|$)/, { token: "fence", next: "@fenced.$1" }],
      [/^ {0,3}#{1,6}(?=[ \t\n]|$)/, { token: "heading", next: "@heading" }],
      [/^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})(?=\n|$)/, "punctuation"],
      [/^[ \t]*(?:>[ \t]?)+/, { token: "quote.mark", next: "@quote" }],
      [/^[ \t]*(?:[-*+]|\d{1,9}[.)])(?=[ \t])/, "list"],
      { include: "@inline" },
    ],
    heading: [[/\n/, "", "@pop"], { include: "@variables" }, [/[^\n{<]+/, "heading"], [/[{<]/, "heading"]],
    quote: [[/\n/, "", "@pop"], { include: "@inline" }],
    fenced: [
      [/^[ \t]*(`{3,}|~{3,})[ \t]*(?=\n|$)/, { cases: { "$1~$S2.*": { token: "fence", next: "@pop" }, "@default": "code" } }],
      { include: "@variables" },
      [/[^\n{]+/, "code"],
      [/\{/, "code"],
      [/\n/, ""],
    ],
    inline: [
      { include: "@variables" },
      [/\\[\\`*_{}[\]()#+\-.!<>]/, ""],
      [/(`+)(?!`)[^\n]*?[^`\n]\1(?!`)/, "code"],
      [/(!?\[)([^\]\n]*)(\]\()([^)\n]*)(\))/, ["punctuation", "link", "punctuation", "link.target", "punctuation"]],
      [/<https?:[^>\s]*>/, "link.target"],
      [/<!--[^\n]*?-->/, "comment"],
      [/<\/?[A-Za-z_][\w.:-]*(?=[\s/>])/, { token: "tag", next: "@tag" }],
      [/\*\*(?=\S)(?=[^\n]*?\S\*\*)/, { token: "strong", next: "@strong" }],
      [/__(?=\S)(?=[^\n]*?\S__)/, { token: "strong", next: "@strongUnderscore" }],
      [/\*(?=[^\s*])(?=[^\n*]*[^\s*]\*)/, { token: "emphasis", next: "@emphasis" }],
      [/\b_(?=[^\s_])(?=[^\n_]*[^\s_]_\b)/, { token: "emphasis", next: "@emphasisUnderscore" }],
      // Whole words at once: a name_with_underscores must not begin italics.
      [/[\p{L}\p{N}_]+/u, ""],
      [/\n/, ""],
    ],
    strong: [[/\n|\*\*/, "strong", "@pop"], { include: "@variables" }, [/[^*\n{]+/, "strong"], [/[*{]/, "strong"]],
    strongUnderscore: [[/\n|__/, "strong", "@pop"], { include: "@variables" }, [/[^_\n{]+/, "strong"], [/[_{]/, "strong"]],
    emphasis: [[/\n|\*/, "emphasis", "@pop"], { include: "@variables" }, [/[^*\n{]+/, "emphasis"], [/\{/, "emphasis"]],
    emphasisUnderscore: [
      [/\n|_/, "emphasis", "@pop"],
      { include: "@variables" },
      [/[^_\n{]+/, "emphasis"],
      [/\{/, "emphasis"],
    ],
    // A tag may run over several lines, but a `<` that never becomes one must not colour the rest: a blank line ends it.
    tag: [
      [/^[ \t]*\n/, "", "@pop"],
      [/\/?>/, "tag", "@pop"],
      [/[A-Za-z_:][\w.:-]*(?=[ \t]*=)/, "attribute"],
      { include: "@variables" },
      [/"/, { token: "string", next: "@double" }],
      [/'/, { token: "string", next: "@single" }],
      [/</, { token: "@rematch", next: "@pop" }],
      [/[\s=]/, ""],
      [/[^\s=>"'<{]+/, "attribute"],
      [/\{/, ""],
    ],
    double: [[/"|\n/, "string", "@pop"], { include: "@variables" }, [/[^"\n{]+/, "string"], [/\{/, "string"]],
    single: [[/'|\n/, "string", "@pop"], { include: "@variables" }, [/[^'\n{]+/, "string"], [/\{/, "string"]],
    variables: [[/@variable/, "variable"]],
  },
};
