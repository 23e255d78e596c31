import { fileURLToPath } from "node:url";
import { CommandError } from "../command-error.ts";
import type { AccessOptions } from "../core-connection.ts";
import { checkAvatars } from "../doctor/avatars.ts";
import { type Finding, fail, ok, whyOf } from "../doctor/check.ts";
import { checkBuilt, checkMemory, checkNode, checkOnnxRuntime } from "../doctor/machine.ts";

export interface DoctorOptions extends AccessOptions {
  /** The core's configuration file. */
  readonly config?: string;
  /** The folder that holds `avatars/`, or `s3://bucket[/prefix]`. Default: the configuration's, or `.data`. */
  readonly root?: string;
  /** A core that should be running. */
  readonly core?: string;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** `mouthpiece doctor`. @throws CommandError when a check fails */
export async function runDoctor(options: DoctorOptions): Promise<void> {
  const home = fileURLToPath(new URL("../..", import.meta.url));
  const onnxRuntime = await checkOnnxRuntime();
  const built = await checkBuilt(home);
  // Only here: what looks at devices cannot be loaded without either.
  const canLoad = onnxRuntime.verdict === "ok" && built.verdict === "ok";
  const checked =
    options.config === undefined || !canLoad
      ? null
      : await (await import("../doctor/core-config.ts")).checkCoreConfig(options.config);
  const root = options.root ?? checked?.config?.models_root ?? ".data";
  const findings = [
    checkNode(process.versions.node),
    onnxRuntime,
    checkMemory(process.availableMemory()),
    built,
    ...(checked?.findings ?? []),
    ...(await checkAvatars(root, process.env)),
    ...(options.core === undefined ? [] : [await checkCore({ ...options, core: options.core })]),
  ];
  const failed = findings.filter(({ verdict }) => verdict === "fail").length;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ ok: failed === 0, findings })}\n`
      : findings.map(formatFinding).join(""),
  );
  if (failed > 0) throw new CommandError(`${failed} of ${findings.length} checks failed`);
}

async function checkCore(options: DoctorOptions & { core: string }): Promise<Finding> {
  try {
    // Only here: without the build there are no messages to speak with.
    const { askCore } = await import("../core-connection.ts");
    const { healthy, devices } = await askCore(options, (core) => core.health({}));
    const detail = `${options.core} answers, ${devices.length} devices`;
    if (healthy) return ok("core", detail);
    return fail("core", `${detail}, none is up`, "the core's log says why");
  } catch (error) {
    if (error instanceof CommandError && error.isUsage) throw error;
    return fail("core", whyOf(error), "");
  }
}

function formatFinding({ check, verdict, detail, advice }: Finding): string {
  const line = `${verdict.padEnd(4)}  ${check}: ${detail}\n`;
  return advice === "" ? line : `${line}      -> ${advice}\n`;
}
