import { execFile } from "node:child_process";
import type { Logger } from "../../avatar/logger.ts";

const TIMEOUT_MS = 5000;
const MEBIBYTE = 1024 ** 2;
const QUERY = ["--query-gpu=memory.free", "--format=csv,noheader,nounits"];

/**
 * What `nvidia-smi` calls the GPU that CUDA numbers `index`: of those that
 * CUDA_VISIBLE_DEVICES lets a process see, in that order, an index or a UUID.
 * Null when it lets none of that number be seen.
 */
export function smiName(index: number, visible: string | undefined): string | null {
  if (visible === undefined) return String(index);
  return visible.split(",")[index]?.trim() || null;
}

/**
 * Free memory of an NVIDIA GPU in bytes, as `nvidia-smi` tells it; null when
 * there is no such program or it does not answer.
 * @param gpu an index, or a UUID
 */
export function freeDeviceBytes(
  gpu: string,
  logger: Logger,
  command = "nvidia-smi",
): Promise<number | null> {
  return new Promise((resolve) => {
    const args = [...QUERY, `--id=${gpu}`];
    execFile(command, args, { timeout: TIMEOUT_MS, killSignal: "SIGKILL" }, (error, output) => {
      const bytes = error ? null : parseFreeBytes(output);
      if (bytes === null) {
        const why = error?.message ?? `it said ${JSON.stringify(output.slice(0, 200))}`;
        logger.warn("nvidia-smi does not tell the memory of a GPU", { gpu, why });
      }
      resolve(bytes);
    });
  });
}

/** One line, in MiB. @returns null when it says anything else */
export function parseFreeBytes(output: string): number | null {
  return /^\d+\s*$/.test(output) ? Number(output) * MEBIBYTE : null;
}
