// Bundles the page and the browser SDK into client/dist. A .js file so that
// `npm ci` can run it through `prepare`.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const sample = join(here, "..", "avatar", "demo", "sample.wav");

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, "demo"), { recursive: true });

const shared = {
  bundle: true,
  minify: true,
  sourcemap: true,
  format: "esm",
  target: ["chrome109", "firefox115", "safari16.4"],
  logLevel: "warning",
};

// Other pages import the SDK by this name, so it has no hash.
await build({
  ...shared,
  entryPoints: [join(here, "index.ts")],
  outfile: join(dist, "mouthpiece.js"),
});

// Audio threads load a file of their own, by the SDK's side.
await build({
  ...shared,
  entryPoints: [join(here, "live", "worklet", "main.ts")],
  outfile: join(dist, "mouthpiece-audio.js"),
});

const page = await build({
  ...shared,
  entryPoints: [join(here, "page", "main.ts"), join(here, "page", "style.css")],
  outdir: join(dist, "assets"),
  entryNames: "[name]-[hash]",
  metafile: true,
});
const outputs = Object.keys(page.metafile.outputs).map((path) => basename(path));
const html = readFileSync(join(here, "page", "index.html"), "utf8")
  .replace("/assets/main.js", `/assets/${named(/^main-\w+\.js$/)}`)
  .replace("/assets/style.css", `/assets/${named(/^style-\w+\.css$/)}`);
writeFileSync(join(dist, "index.html"), html);
cpSync(join(here, "page", "icon.svg"), join(dist, "icon.svg"));
if (existsSync(sample)) cpSync(sample, join(dist, "demo", "sample.wav"));

/** The one output with such a name. */
function named(pattern) {
  const name = outputs.find((output) => pattern.test(output));
  if (!name) throw new Error(`the bundle has no ${pattern}`);
  return name;
}
