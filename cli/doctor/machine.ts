import { stat } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "../progress.ts";
import { type Finding, fail, ok, warn, whyOf } from "./check.ts";

const NODE_MAJOR = 24;
/** A device process with one full-size model and its warm-up needs about this much. */
const LOW_MEMORY_BYTES = 1.5e9;

/** What `npm run build` makes, one file for each of its steps. */
const BUILT_FILES = [
  "proto/gen/mouthpiece/inference/v1/inference_pb.js",
  "proto/gen/mouthpiece/compositing/v1/compositing_pb.js",
  "proto/gen/grpc/health/v1/health_pb.js",
  "proto/gen/grpc/reflection/v1/reflection_pb.js",
  "avatar/image/gen/resize.wasm",
  "edge/audio/gen/opus.wasm",
  "edge/compositor/gen/jpeg.wasm",
  "edge/compositor/gen/png.wasm",
  "client/dist/index.html",
  "client/dist/mouthpiece.js",
];

export function checkNode(version: string): Finding {
  if (Number(version.split(".")[0]) >= NODE_MAJOR) return ok("node", version);
  return fail("node", version, `use Node ${NODE_MAJOR}: "npm ci" installs it in node_modules`);
}

/** The binding is a native library, which a machine may refuse to load. */
export async function checkOnnxRuntime(): Promise<Finding> {
  try {
    const { env, listSupportedBackends } = await import("onnxruntime-node");
    const providers = listSupportedBackends();
    // Those that are not bundled need libraries of the system, which only a session would find.
    const names = providers.map(({ name, bundled }) => (bundled ? name : `${name} (not bundled)`));
    const detail = `${env.versions.node ?? env.versions.common}, providers ${names.join(", ")}`;
    if (providers.some(({ name }) => name === "cpu")) return ok("onnxruntime", detail);
    return fail("onnxruntime", detail, 'no provider "cpu": run "npm ci" again');
  } catch (error) {
    return fail(
      "onnxruntime",
      `onnxruntime-node cannot be loaded: ${whyOf(error)}`,
      'run "npm ci" on this machine, without --ignore-scripts',
    );
  }
}

/** @param bytes that this process could still take, limits of its container included */
export function checkMemory(bytes: number): Finding {
  const detail = `${formatBytes(bytes)} available`;
  if (bytes >= LOW_MEMORY_BYTES) return ok("memory", detail);
  return warn(
    "memory",
    detail,
    `a full-size model needs about ${formatBytes(LOW_MEMORY_BYTES)}: free some, and lower capacity.max_memory_gb`,
  );
}

/** @param home the project's own folder */
export async function checkBuilt(home: string): Promise<Finding> {
  const isThere = await Promise.all(
    BUILT_FILES.map((file) =>
      stat(join(home, file)).then(
        (found) => found.size > 0,
        () => false,
      ),
    ),
  );
  const missing = BUILT_FILES.filter((_, i) => !isThere[i]);
  if (missing.length === 0) return ok("build", "page, compositor and messages are built");
  return fail("build", `missing: ${missing.join(", ")}`, 'run "npm run build"');
}
