import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build, type Metafile, type PluginBuild } from "esbuild";
import { parseEdgeConfig } from "../../edge/config.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { type Image, readImage } from "./dockerfile.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const load = createRequire(import.meta.url);
/** What the build stage makes; everything else comes from the repository. */
const BUILT = /^(node_modules$|client\/dist$|proto\/gen$)/;

const IMAGES = {
  edge: {
    entries: ["cli/bin.js", "cli/commands/edge.ts", "edge/runtime/preparer-thread.ts"],
    port: parseEdgeConfig({}, "test").server.port,
  },
  core: {
    entries: [
      "cli/bin.js",
      "cli/commands/core.ts",
      "gpu-core/engine/device-process.ts",
      "gpu-core/engine/worker-thread.ts",
    ],
    port: parseCoreConfig({}, "test").server.port,
  },
};

for (const [name, { entries, port }] of Object.entries(IMAGES)) {
  describe(`the image of the ${name}`, () => {
    let image: Image;
    before(async () => {
      image = await readImage(new URL(`./${name}.Dockerfile`, import.meta.url));
    });

    test("bases are pinned, and its Node is the one that the project is tested with", async () => {
      const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8"));
      const { version } = lock.packages["node_modules/node"];
      for (const { base } of image.stages) assert.match(base, /^[\w./-]+:\d+\.\d+\.\d+-[\w.-]+$/);
      assert.equal(image.stages[0]?.base, `node:${version}-bookworm-slim`);
    });

    test("runs as a number that is not root, from nothing that the last stage installs", () => {
      const { last } = image;
      assert.match(last.one("USER")[0]!, /^[1-9]\d{3,}:[1-9]\d{3,}$/);
      const after = last.instructions.findIndex((each) => each.getKeyword() === "USER");
      const copies = last.instructions.slice(after).filter((each) => each.getKeyword() === "COPY");
      // What it could write it could change: all is root's.
      assert.deepEqual(copies, []);
      assert.deepEqual([...last.all("RUN"), ...last.all("ADD")], []);
      assert.ok(last.instructions.every((each) => !String(each).includes("--chown")));
    });

    test("is started without a shell, so that SIGTERM arrives", () => {
      const words = [...image.last.one("ENTRYPOINT"), ...image.last.one("CMD")];
      const [node, flag, script, command, option, config] = words;
      assert.deepEqual([node, script], ["node", "/app/cli/bin.js"]);
      assert.deepEqual([command, option], [name, "--config"]);
      assert.match(config ?? "", /^\/etc\/mouthpiece\/\w+\.yaml$/);
      // As the shebang of cli/bin.js gives it.
      assert.equal(flag, "--initial-old-space-size=256");
    });

    test("tells the port that the configuration has by default", () => {
      assert.deepEqual(image.last.one("EXPOSE"), [String(port)]);
    });

    test("what it copies is there, and not kept from the build", async () => {
      const ignored = (await readFile(join(ROOT, ".dockerignore"), "utf8")).split("\n");
      for (const source of copied(image)) {
        assert.ok(existsSync(join(ROOT, source)), source);
        if (!BUILT.test(source)) assert.ok(!ignored.includes(source), source);
      }
    });

    test("holds every file and package that the command imports", async () => {
      const rooms = copied(image);
      const removed = image.stages[0]!.all("RUN").flat();
      const { dependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
      const { inputs } = await importsOf(entries);
      assert.ok(Object.keys(inputs).length > 50);
      for (const [file, { imports }] of Object.entries(inputs)) {
        assert.ok(
          rooms.some((room) => file === room || file.startsWith(`${room}/`)),
          file,
        );
        for (const { path, external } of imports) {
          if (!external || path.startsWith("node:") || path.startsWith(".")) continue;
          const packageName = path
            .split("/")
            .slice(0, path.startsWith("@") ? 2 : 1)
            .join("/");
          assert.ok(packageName in dependencies, `${file} imports ${path}`);
          const folders = [packageName, packageName.split("/")[0]];
          for (const folder of folders)
            assert.ok(!removed.includes(`node_modules/${folder}`), path);
        }
      }
    });
  });
}

test("the core's base has the CUDA that onnxruntime asks for", async () => {
  const { stages, last } = await readImage(new URL("./core.Dockerfile", import.meta.url));
  const [, major] = /=cuda(\d+)$/.exec(stages[0]!.one("ARG")[0]!) ?? [];
  assert.match(last.base, new RegExp(`^nvidia/cuda:${major}\\..*-cudnn-runtime-`));
  const { requirements } = load("onnxruntime-node/script/install-metadata.js");
  assert.ok(requirements["linux/x64"].includes(`cuda${major}`));
});

test("no secret and nothing of a checkout gets into a build", async () => {
  const ignored = (await readFile(join(ROOT, ".dockerignore"), "utf8")).split("\n");
  for (const pattern of [".git", ".data", "**/.env", "**/*.pem", "**/*.key", "**/node_modules"]) {
    assert.ok(ignored.includes(pattern), pattern);
  }
});

/** Paths of the repository, or of what is built in it, that the last stage has. */
function copied({ last }: Image): string[] {
  return last
    .all("COPY")
    .flatMap((words) => words.slice(0, -1))
    .filter((path) => path.startsWith("/app/"))
    .map((path) => path.slice("/app/".length));
}

async function importsOf(entries: readonly string[]): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...entries],
    bundle: true,
    write: false,
    metafile: true,
    outdir: "unused",
    format: "esm",
    platform: "node",
    packages: "external",
    // Source phase imports, which esbuild does not parse.
    external: ["png", "jpeg", "resize", "h264", "aac", "opus"].map((name) => `*/gen/${name}.js`),
    plugins: [{ name: "commands", setup: leaveOutCommands }],
    logLevel: "silent",
  });
  return metafile;
}

/** A command is loaded when it runs: the edge's image need not have what the core needs. */
function leaveOutCommands({ onResolve }: PluginBuild): void {
  onResolve({ filter: /\/commands\// }, ({ kind, path }) =>
    kind === "dynamic-import" ? { path, external: true } : null,
  );
}
