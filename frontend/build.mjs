// Builds Monaco for the page that edits prompts, into public/vendor/monaco. Every file but editor.js has a hash of its content
// in its name.
import { copyFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { patches } from "./monaco/patches.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = fileURLToPath(new URL("../public/vendor/monaco", import.meta.url));

// Monaco holds a copy of the last one that its notices leave out.
const LICENCES = [
  ["monaco-editor/LICENSE", "LICENSE.txt"],
  ["monaco-editor/ThirdPartyNotices.txt", "ThirdPartyNotices.txt"],
  ["dompurify/LICENSE", "LICENSE.dompurify.txt"],
];

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".ttf": "file" },
  // The licences are beside the bundle, in full.
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const main = await build({ ...common, entryPoints: ["monaco/main.ts"], splitting: true, plugins: [patches()] });
// On its own, so that page and worker share no chunk and neither waits for the other.
const worker = await build({ ...common, entryPoints: ["monaco/worker.ts"] });

const mainOutput = entry(main, "monaco/main.ts");
await build({
  ...common,
  entryPoints: ["monaco/editor.ts"],
  entryNames: "[name]",
  define: {
    MAIN_FILE: JSON.stringify(relative(mainOutput.file)),
    STYLES_FILE: JSON.stringify(relative(mainOutput.cssBundle)),
    WORKER_FILE: JSON.stringify(relative(entry(worker, "monaco/worker.ts").file)),
  },
});
for (const [from, to] of LICENCES) await copyFile(join(here, "node_modules", from), join(out, to));

console.log("file                          bytes     gzip   brotli");
for (const name of (await readdir(out)).sort()) {
  if (name.endsWith(".txt")) continue;
  const bytes = await readFile(join(out, name));
  const sizes = [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
  console.log(name.padEnd(26), ...sizes.map((size) => String(size).padStart(8)));
}

function entry(result, entryPoint) {
  const [file, output] = Object.entries(result.metafile.outputs).find(([, each]) => each.entryPoint === entryPoint);
  return { file, cssBundle: output.cssBundle };
}

function relative(file) {
  return `./${basename(file)}`;
}
