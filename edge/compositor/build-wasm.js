// Compiles the AssemblyScript kernels to WebAssembly modules. A .js file so
// that `npm ci` can run it through `prepare`.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "gen");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

/** Each is compiled from `assembly/NAME.ts`, and exported as a compiled module by `gen/NAME.js`. */
const MODULES = ["png", "jpeg"];

for (const name of MODULES) {
  const { error, stderr } = await asc.main([
    join(here, "assembly", `${name}.ts`),
    "--outFile",
    join(out, `${name}.wasm`),
    "--textFile",
    join(out, `${name}.wat`),
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
    join(out, `${name}.js`),
    `import source module from "./${name}.wasm";\nexport { module };\n`,
  );
  writeFileSync(join(out, `${name}.d.ts`), "export declare const module: WebAssembly.Module;\n");
}
