// Compiles the AssemblyScript kernels to WebAssembly modules. A .js file so
// that `npm ci` can run it through `prepare`.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Each is compiled from `assembly/NAME.ts`, and exported as a compiled module by `gen/NAME.js`. */
const MODULES = {
  "avatar/image": ["resize"],
  "edge/compositor": ["png", "jpeg", "h264", "h264-parts"],
};

for (const [room, names] of Object.entries(MODULES)) {
  const out = join(root, room, "gen");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const name of names) await compile(join(root, room, "assembly", `${name}.ts`), out, name);
}

async function compile(source, out, name) {
  const { error, stderr } = await asc.main([
    source,
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
