import { silentLogger } from "../../avatar/logger.ts";
import { readConfigFile } from "../../avatar/runtime/config-file.ts";
import { Access } from "../../gpu-core/access/access.ts";
import { type CoreConfig, executionProviders } from "../../gpu-core/config.ts";
import { freeDeviceBytes, smiName } from "../../gpu-core/engine/device-memory.ts";
import { proveDevice } from "../../gpu-core/model/device-proof.ts";
import { coreConfigFrom } from "../commands/core.ts";
import { formatBytes } from "../progress.ts";
import { type Finding, fail, ok, warn, whyOf } from "./check.ts";

/** Whose memory nvidia-smi tells. */
const NVIDIA: readonly string[] = ["cuda", "tensorrt"];

/** A configuration of the core, and what of it this machine cannot do. */
export interface CheckedConfig {
  /** Null when it cannot be used. */
  readonly config: CoreConfig | null;
  readonly findings: readonly Finding[];
}

/** @param path of the core, or of `serve`, whose section `core` counts */
export async function checkCoreConfig(path: string): Promise<CheckedConfig> {
  let config: CoreConfig;
  try {
    const file = await readConfigFile(path);
    const { value } = file;
    const isOfServe = typeof value === "object" && value !== null && "core" in value;
    config = coreConfigFrom(isOfServe ? { ...file, value: value.core } : file);
  } catch (error) {
    return { config: null, findings: [fail("config", whyOf(error), "the core would not start")] };
  }
  const findings = [ok("config", path), await checkAccess(config)];
  for (let device = 0; device < config.gpus.count; device++) {
    findings.push(...(await checkDevice(config, device)));
  }
  return { config, findings };
}

/** Certificates, keys and tokens, as the core reads them. */
async function checkAccess({ server }: CoreConfig): Promise<Finding> {
  try {
    await Access.open(server, silentLogger);
    const kinds = [server.tls && "TLS", server.token_file !== undefined && "tokens"];
    return ok("access", kinds.filter(Boolean).join(" and ") || "neither TLS nor tokens are set");
  } catch (error) {
    return fail("access", whyOf(error), "let this user read the file, or make it anew");
  }
}

/** Whether the device runs models, and whether its memory is told. */
async function checkDevice(config: CoreConfig, device: number): Promise<Finding[]> {
  const providers = executionProviders(config, device);
  const name = `device ${device}`;
  const findings: Finding[] = [];
  try {
    await proveDevice({ providers, deviceId: device, threads: 1 });
    findings.push(ok(name, `runs models on ${providers.join(", ")}`));
  } catch (error) {
    findings.push(fail(name, whyOf(error), "or leave the device out (gpus.count)"));
  }
  if (!providers.some((provider) => NVIDIA.includes(provider))) return findings;
  const gpu = smiName(device, process.env.CUDA_VISIBLE_DEVICES);
  const free = gpu === null ? null : await freeDeviceBytes(gpu, silentLogger);
  const advice = "install nvidia-smi: without it models are reckoned by what the process grows";
  findings.push(
    free === null
      ? warn(`${name} memory`, "nvidia-smi does not tell it", advice)
      : ok(`${name} memory`, `${formatBytes(free)} free`),
  );
  return findings;
}
