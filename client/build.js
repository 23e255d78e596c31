// Bundles the page and the browser SDK into client/dist. A .js file so that
// `npm ci` can run it through `prepare`.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const sample = join(here, "..", "avatar", "demo", "sample.wav");
const protocol = join(here, "..", "docs", "live-protocol.md");

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

// The page uses what other pages use, from where they have it.
const sdk = {
  name: "sdk",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.ts$/ }, () => ({
      path: "/mouthpiece.js",
      external: true,
    }));
  },
};

const page = await build({
  ...shared,
  plugins: [sdk],
  entryPoints: [
    join(here, "page", "main.ts"),
    join(here, "page", "style.css"),
    join(here, "page", "operator", "operator.ts"),
    join(here, "page", "operator", "operator.css"),
  ],
  outdir: join(dist, "assets"),
  entryNames: "[name]-[hash]",
  metafile: true,
});
const outputs = Object.keys(page.metafile.outputs).map((path) => basename(path));
writePage(join("page", "index.html"), "index.html");
writePage(join("page", "operator", "index.html"), "operator.html");
cpSync(join(here, "page", "icon.svg"), join(dist, "icon.svg"));
if (existsSync(sample)) cpSync(sample, join(dist, "demo", "sample.wav"));
// What an agent needs, as browsers show it.
if (existsSync(protocol)) cpSync(protocol, join(dist, "docs", "live-protocol.txt"));

/** A page, with the names that its files have now. */
function writePage(from, to) {
  const html = readFileSync(join(here, from), "utf8");
  const named = html.replace(/"\/assets\/(\w+)\.(js|css)"/g, (_, name, extension) => {
    return `"/assets/${nameOf(new RegExp(`^${name}-\\w+\\.${extension}$`))}"`;
  });
  writeFileSync(join(dist, to), named);
}

/** The one output with such a name. */
function nameOf(pattern) {
  const name = outputs.find((output) => pattern.test(output));
  if (!name) throw new Error(`the bundle has no ${pattern}`);
  return name;
}
