// The only file with a fixed name. It is tiny because browsers ask for it again at every visit; everything that it loads
// carries a hash of its content in its name and can be kept for ever.
import type * as Main from "./main";

export type MonacoModule = Pick<typeof Main, "create">;
export type { PromptEditor } from "./prompt-editor";

// File names of this build, put in by build.mjs.
declare const MAIN_FILE: string;
declare const STYLES_FILE: string;
declare const WORKER_FILE: string;

let loaded: Promise<MonacoModule> | undefined;

/** Loads the editor once, with its styles. After a failure the next call tries again. */
export function load(): Promise<MonacoModule> {
  loaded ??= loadOnce().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function loadOnce(): Promise<MonacoModule> {
  // Monaco measures characters when it is created, so the styles must be there before.
  const [main] = await Promise.all([import(here(MAIN_FILE)) as Promise<typeof Main>, addStyles(here(STYLES_FILE))]);
  main.useWorker(here(WORKER_FILE));
  return main;
}

function here(file: string): string {
  return new URL(file, import.meta.url).href;
}

function addStyles(href: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = href;
    link.onload = () => resolve();
    link.onerror = () => {
      link.remove();
      reject(new Error("The styles of the editor could not be loaded."));
    };
    document.head.append(link);
  });
}
