import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What a link does to what goes over it. */
export interface LinkState {
  /** Null: as fast as it goes. */
  readonly kbps: number | null;
  /** Share of packets that are lost, of each direction. */
  readonly loss: number;
  /** One way. */
  readonly delay_ms: number;
  /** Nothing passes. */
  readonly is_dark: boolean;
}

export const GOOD_LINK: LinkState = { kbps: null, loss: 0, delay_ms: 20, is_dark: false };
/** Addresses of the two ends. */
export const FAR_ADDRESS = "10.77.0.1";
export const NEAR_ADDRESS = "10.77.0.2";

export interface NetworkLink {
  /** Runs Chromium at the far end. */
  readonly chromium: string;
  set(state: LinkState): void;
  close(): void;
}

/**
 * From this network namespace to another one, by two TUN devices and a relay between
 * them: TCP and UDP are the kernel's, which need not have netem. Needs root and Python.
 * @param folder for a script
 * @param browser path of Chromium
 */
export async function openLink(folder: string, browser: string): Promise<NetworkLink> {
  const holder = spawn("unshare", ["-n", "sleep", "3600"], { stdio: "ignore" });
  const relay = spawn("python3", [join(import.meta.dirname, "relay.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const set = (state: LinkState) => void relay.stdin.write(`${JSON.stringify(state)}\n`);
  await once(createInterface(relay.stdout), "line", { signal: AbortSignal.timeout(10_000) });
  const run = (command: string) => {
    const [file, ...args] = command.split(" ");
    execFileSync(file!, args, { timeout: 10_000 });
  };
  const there = `nsenter -t ${holder.pid} -n`;
  run("ip link set lo up");
  run(`ip link set mp-a netns ${holder.pid}`);
  run(`ip addr add ${NEAR_ADDRESS} peer ${FAR_ADDRESS} dev mp-b`);
  run("ip link set mp-b up");
  run(`${there} ip link set lo up`);
  run(`${there} ip addr add ${FAR_ADDRESS} peer ${NEAR_ADDRESS} dev mp-a`);
  run(`${there} ip link set mp-a up`);
  const chromium = join(folder, "chromium.sh");
  await writeFile(chromium, `#!/bin/sh\nexec ${there} ${browser} "$@"\n`, { mode: 0o755 });
  set(GOOD_LINK);
  return {
    chromium,
    set,
    close() {
      relay.kill("SIGKILL");
      holder.kill("SIGKILL");
    },
  };
}
