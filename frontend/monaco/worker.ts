// The side thread in which Monaco looks for invisible characters in long texts.
import "monaco-editor/editor/editor.worker";
