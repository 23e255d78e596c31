import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Rows } from "../../rows.ts";

/**
 * Live sessions in Chromium over a link that is narrow, loses packets, or is dark for a
 * while, between two network namespaces. Needs root, iproute2, util-linux and Python.
 */
export async function benchLiveLink(): Promise<Rows> {
  const program = [process.execPath, join(import.meta.dirname, "run.ts")];
  const child = spawn("unshare", ["-n", "--kill-child", "--fork", ...program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const rows = /^rows (.*)$/m.exec(out)?.[1];
  if (!rows) throw new Error(`it did not come to its end:\n${out.slice(-2000)}`);
  return JSON.parse(rows) as Rows;
}
