// Compiles the AssemblyScript kernels to one WebAssembly module. A .js file so
// that `npm ci` can run it through `prepare`.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "gen");
mkdirSync(out, { recursive: true });

const { error, stderr } = await asc.main([
  join(here, "assembly", "index.ts"),
  "--outFile",
  join(out, "compositor.wasm"),
  "--textFile",
  join(out, "compositor.wat"),
  "--runtime",
  "stub",
  "--enable",
  "simd",
  "--optimizeLevel",
  "3",
  "--noAssert",
  "--use",
  "abort=",
]);
if (error) {
  console.error(stderr.toString());
  throw error;
}

// A source phase import works in Node 24, Deno and workerd, but only from a
// .js file: TypeScript does not parse it.
writeFileSync(
  join(out, "compositor.js"),
  'import source module from "./compositor.wasm";\nexport { module };\n',
);
writeFileSync(join(out, "compositor.d.ts"), "export declare const module: WebAssembly.Module;\n");
