// Takes the WebAssembly modules of libopus and of FFmpeg's AAC encoder out of the
// packages that ship them as text inside JavaScript: Workers run no module that
// is not a file of its own, and no `Worker` threads. A .js file so that `npm ci`
// can run it through `prepare`. Why these packages: docs/decisions/020.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const out = join(root, "edge", "audio", "gen");

/** The loader that Emscripten made for each, and whether it is an ES module. */
const LIBRARIES = {
  opus: { package: "libopus-wasm", loader: "dist/generated/libopus.generated.mjs", isModule: true },
  aac: { package: "@mediabunny/aac-encoder", loader: "dist/modules/build/aac.js", isModule: false },
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const [name, library] of Object.entries(LIBRARIES)) {
  const folder = join(root, "node_modules", library.package);
  write(name, await observe(await importLoader(join(folder, library.loader), library.isModule)));
  copyFileSync(join(folder, "LICENSE"), join(out, `${name}.LICENSE`));
}

/** @returns the factory that the loader exports */
async function importLoader(file, isModule) {
  if (isModule) return (await import(pathToFileURL(file).href)).default;
  // A script for bundlers: it writes to `exports`, and says `import.meta`.
  const text = `const exports = {};${readFileSync(file, "utf8")};export default exports.default;`;
  return (await import(`data:text/javascript,${encodeURIComponent(text)}`)).default;
}

/**
 * Runs a loader once and notes what it instantiates and how. The names in the
 * module are minified; the loader's own functions still have theirs.
 */
async function observe(create) {
  const { instantiate } = WebAssembly;
  const seen = { bytes: null, imports: {}, wrapped: {}, called: [] };
  WebAssembly.instantiate = async (bytes, imports) => {
    if (seen.bytes) throw new Error("more than one module");
    seen.bytes = new Uint8Array(bytes.buffer ?? bytes);
    for (const [space, entries] of Object.entries(imports)) {
      seen.imports[space] = {};
      for (const [key, entry] of Object.entries(entries)) {
        seen.imports[space][key] = entry.name.replace(/^_+/, "");
      }
    }
    const { instance } = await instantiate(bytes, imports);
    for (const [key, entry] of Object.entries(instance.exports)) {
      seen.wrapped[key] = entry;
      if (typeof entry !== "function") continue;
      seen.wrapped[key] = (...args) => {
        seen.called.push(key);
        return entry(...args);
      };
    }
    return { instance: { exports: seen.wrapped } };
  };
  try {
    const api = await create();
    return { ...seen, api };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

function write(name, { bytes, imports, wrapped, called, api }) {
  const exports = {};
  for (const [key, entry] of Object.entries(wrapped)) {
    if (entry instanceof WebAssembly.Memory) exports.memory = key;
    for (const [apiName, value] of Object.entries(api)) {
      if (value === entry && apiName.startsWith("_")) exports[apiName.slice(1)] = key;
    }
  }
  const [initialize] = called;
  if (called.length !== 1 || !exports.memory || !exports.malloc || !exports.free) {
    throw new Error(`${name} is not made as it was: ${called} ${Object.keys(exports)}`);
  }
  exports.initialize = initialize;
  writeFileSync(join(out, `${name}.wasm`), withSmallMemory(bytes));
  // A source phase import works in Node 24, Deno and workerd, but only from a
  // .js file: TypeScript does not parse it.
  writeFileSync(
    join(out, `${name}.js`),
    `import source module from "./${name}.wasm";
export const library = {
  module,
  imports: ${JSON.stringify(imports)},
  exports: ${JSON.stringify(exports)},
};
`,
  );
  writeFileSync(
    join(out, `${name}.d.ts`),
    `import type { EmscriptenLibrary } from "../codecs/emscripten.ts";
export declare const library: EmscriptenLibrary;
`,
  );
}

/**
 * Emscripten gives every program a heap of 16 MiB before it asks for one, an
 * eighth of what a Worker has. The heap grows, so it may begin empty.
 */
function withSmallMemory(wasm) {
  const heapPages = 256;
  let at = 8;
  while (wasm[at] !== 5) {
    const [bytes, start] = readNumber(wasm, at + 1);
    at = start + bytes;
  }
  // Section 5: its length, one memory, flags, and the least number of pages.
  const minimumAt = readNumber(wasm, at + 1)[1] + 2;
  const [pages, end] = readNumber(wasm, minimumAt);
  if (pages <= heapPages || end - minimumAt !== 2) throw new Error(`${pages} pages of memory`);
  const result = wasm.slice();
  // As many bytes as before: LEB128 may be longer than needed.
  result[minimumAt] = ((pages - heapPages) & 127) | 128;
  result[minimumAt + 1] = (pages - heapPages) >> 7;
  return result;
}

/** Unsigned LEB128 (WebAssembly Core, 5.2.2). @returns the number, and where the next thing begins */
function readNumber(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    value |= (bytes[at] & 127) << shift;
    if (bytes[at] < 128) return [value, at + 1];
  }
}
