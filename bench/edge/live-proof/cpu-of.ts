import { readFile } from "node:fs/promises";

/** Of Linux, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU milliseconds that a process has used with all its threads, from /proc (Linux only). */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may contain blanks; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
