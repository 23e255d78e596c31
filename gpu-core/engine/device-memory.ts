import { execFile } from "node:child_process";
import type { Logger } from "../../avatar/logger.ts";

const TIMEOUT_MS = 5000;
const MEBIBYTE = 1024 ** 2;
const QUERY = ["--query-gpu=index,memory.free", "--format=csv,noheader,nounits"];

/**
 * Free memory of an NVIDIA GPU in bytes, as `nvidia-smi` tells it; null when
 * there is no such program or it does not answer.
 */
export function freeDeviceBytes(
  index: number,
  logger: Logger,
  command = "nvidia-smi",
): Promise<number | null> {
  return new Promise((resolve) => {
    const args = [...QUERY, `--id=${index}`];
    execFile(command, args, { timeout: TIMEOUT_MS, killSignal: "SIGKILL" }, (error, output) => {
      const bytes = error ? null : parseFreeBytes(output, index);
      if (bytes === null) {
        const why = error?.message ?? `it said ${JSON.stringify(output.slice(0, 200))}`;
        logger.warn("nvidia-smi does not tell the memory of a GPU", { gpu: index, why });
      }
      resolve(bytes);
    });
  });
}

/** Lines of `index, MiB`. @returns null when the GPU is not among them */
export function parseFreeBytes(output: string, index: number): number | null {
  for (const line of output.split("\n")) {
    const [gpu, free] = line.split(",").map((cell) => cell.trim());
    if (gpu === String(index) && free !== undefined && /^\d+$/.test(free)) {
      return Number(free) * MEBIBYTE;
    }
  }
  return null;
}
