import { readFileSync } from "node:fs";

/** Resident memory of processes in bytes, together. Linux only; 0 elsewhere. */
export function residentBytes(pids: readonly (number | undefined)[]): number {
  return pids.reduce<number>((sum, pid) => sum + (pid === undefined ? 0 : of(pid)), 0);
}

function of(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    // It has ended, or this is not Linux.
    return 0;
  }
}
