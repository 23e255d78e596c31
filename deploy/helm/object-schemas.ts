import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KubernetesObject } from "./helm.ts";

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
/** API groups that are not Kubernetes' own. */
const OPERATORS: Readonly<Record<string, string>> = {
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};
const COMPILER_OPTIONS = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  module: "esnext",
  moduleResolution: "bundler",
  lib: ["esnext"],
  types: [],
};

interface Model {
  validate(): void;
}

/**
 * Checks objects against the schemas of Kubernetes, KEDA and the Prometheus operator.
 * Validators made of them see to values; they let unknown keys pass, so the types made
 * of the same schemas see to those: TypeScript refuses a literal with a key too many.
 * @returns what is wrong, a line each
 */
export async function problemsOf(objects: readonly KubernetesObject[]): Promise<string[]> {
  const problems: string[] = [];
  for (const object of objects) {
    const models: Readonly<Record<string, new (data: unknown) => Model>> = await import(
      moduleOf(object)
    );
    const Model = models[object.kind];
    if (!Model) {
      problems.push(`${nameOf(object)}: there is no ${object.kind} in ${object.apiVersion}`);
      continue;
    }
    try {
      new Model(object).validate();
    } catch (error) {
      problems.push(`${nameOf(object)}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return [...problems, ...(await compile(objects))];
}

async function compile(objects: readonly KubernetesObject[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-chart-"));
  try {
    await symlink(MODULES, join(folder, "node_modules"));
    for (const [n, object] of objects.entries()) {
      const type = `import("${moduleOf(object)}").I${object.kind}`;
      const text = `export const object: ${type} = ${JSON.stringify(object, null, 1)};\n`;
      await writeFile(join(folder, `${n}-${object.kind}-${object.metadata.name}.ts`), text);
    }
    const settings = { compilerOptions: COMPILER_OPTIONS, include: ["*.ts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
    return await diagnosticsOf(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** TypeScript's lines; none when all is well. */
function diagnosticsOf(folder: string): Promise<string[]> {
  const compiler = join(MODULES, ".bin", "tsc");
  return new Promise((resolve, reject) => {
    execFile(compiler, ["-p", folder, "--pretty", "false"], (error, stdout, stderr) => {
      if (!error) resolve([]);
      else if (!stdout.includes("error TS")) reject(new Error(`tsc: ${stdout}${stderr}`));
      else resolve(stdout.trim().split("\n"));
    });
  });
}

function moduleOf({ apiVersion }: KubernetesObject): string {
  const group = apiVersion.split("/")[0]!;
  return `${OPERATORS[group] ?? "kubernetes-models"}/${apiVersion}`;
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
