import assert from "node:assert/strict";
import { ChildProcess, execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { VirtualClock } from "../../avatar/clock.ts";
import { createJsonLogger, silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../config.ts";
import { Engine } from "./engine.ts";
import type { DeviceState } from "./inference-worker.ts";

const WAIT_MS = 20_000;

/** Starts devices of real processes, which end with the test. */
async function startEngine(
  t: { after(end: () => Promise<void>): void },
  settings: { devices?: number; gpus?: object; supervision?: object; faults?: object[] } = {},
) {
  const { devices = 1, supervision = {}, faults = [] } = settings;
  const gpus = { count: devices, cpu_threads_per_worker: 1, ...settings.gpus };
  const config = { gpus, supervision, faults };
  const engine = new Engine(parseCoreConfig(config, "test"), silentLogger);
  t.after(() => engine.stop());
  const states: DeviceState[][] = engine.devices.map(() => []);
  for (const device of engine.devices) {
    device.onStateChange(() => states[device.index]!.push(device.state));
  }
  await engine.start();
  return { engine, states };
}

/** Resolves when `holds` does after some change of a state. */
async function until(engine: Engine, holds: () => boolean): Promise<void> {
  if (holds()) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("it did not happen in time")), WAIT_MS);
    for (const device of engine.devices) {
      device.onStateChange(() => {
        if (!holds()) return;
        clearTimeout(timer);
        resolve();
      });
    }
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a process that is killed is started again; its calls are lost, and nothing outlives stop()", async (t) => {
  const { engine, states } = await startEngine(t);
  const device = engine.devices[0]!;
  const first = device.pid!;
  process.kill(first, "SIGSTOP");
  const call = device.workers[0]!.unload("nobody");
  process.kill(first, "SIGKILL");
  await assert.rejects(call, { code: "device_lost" });
  assert.equal(device.isComingUp, true);
  await assert.rejects(device.workers[0]!.unload("nobody"), { code: "unavailable" });
  await until(engine, () => device.state === "ready");
  assert.deepEqual(states[0], ["ready", "down", "starting", "ready"]);
  assert.equal(device.restarts, 1);
  await device.workers[0]!.unload("nobody");
  const second = device.pid!;
  assert.notEqual(second, first);
  await engine.stop();
  assert.equal(isAlive(second), false);
});

test("a process that does not answer is killed", async (t) => {
  const supervision = { ping_interval_s: 0.05, ping_timeout_s: 0.5 };
  const { engine } = await startEngine(t, { supervision });
  const device = engine.devices[0]!;
  process.kill(device.pid!, "SIGSTOP");
  await until(engine, () => device.restarts === 1 && device.state === "ready");
});

test("a process that grows beyond its limit is started again", async (t) => {
  const supervision = { ping_interval_s: 0.05, memory_limit_gb: 0.001 };
  const { engine } = await startEngine(t, { supervision });
  await until(engine, () => engine.devices[0]!.restarts >= 1);
});

test("a process that ends when it is asked for its pulse is started again", async (t) => {
  const faults = [{ point: "device.ping", action: "exit", process: 0 }];
  const { engine } = await startEngine(t, { faults });
  await until(engine, () => engine.devices[0]!.restarts === 1);
});

test("a load that hangs ends with its process", async (t) => {
  const { engine } = await startEngine(t, { supervision: { load_timeout_s: 0.1 } });
  const device = engine.devices[0]!;
  process.kill(device.pid!, "SIGSTOP");
  const files = { unetPath: "none.onnx", speech: null };
  const load = device.workers[0]!.load("none", files, "fp32");
  await assert.rejects(load, /load took over 0.1 s/);
  await until(engine, () => device.state === "ready");
});

test("a command that hangs ends with its process", async (t) => {
  const supervision = { run_timeout_s: 0.1 };
  const { engine } = await startEngine(t, { supervision });
  const device = engine.devices[0]!;
  process.kill(device.pid!, "SIGSTOP");
  await assert.rejects(device.workers[0]!.unload("nobody"), /unload took over 0.1 s/);
  await until(engine, () => device.state === "ready");
});

test("a process that does not start in time is killed and started again", async (t) => {
  const clock = new VirtualClock();
  const faults = [{ point: "device.start", action: "hang" }];
  const config = parseCoreConfig({ supervision: { start_timeout_s: 5 }, faults }, "test");
  const logs: string[] = [];
  const logger = createJsonLogger("error", (line) => logs.push(line));
  const engine = new Engine(config, logger, clock);
  t.after(() => engine.stop());
  const device = engine.devices[0]!;
  device.start();
  const first = device.pid!;
  await clock.advanceBy(4999);
  assert.deepEqual([device.state, isAlive(first)], ["starting", true]);
  await clock.advanceBy(1);
  await until(engine, () => device.state === "down");
  assert.match(logs.join(), /it did not start within 5 s/);
  await clock.advanceBy(5000);
  await until(engine, () => device.state === "ready");
  assert.deepEqual([device.restarts, isAlive(first)], [1, false]);
});

test("a start that is slow but in time is none that failed", async (t) => {
  const faults = [{ point: "device.start", action: "delay", delay_ms: 200 }];
  const { engine, states } = await startEngine(t, { faults });
  assert.deepEqual(states[0], ["ready"]);
  assert.equal(engine.devices[0]!.restarts, 0);
});

test("a process that cannot be killed is given up, and waited for before the next one", async (t) => {
  const { engine } = await startEngine(t);
  const device = engine.devices[0]!;
  const stuck = device.pid!;
  process.kill(stuck, "SIGSTOP");
  // What a driver does that does not come back.
  const deaf = t.mock.method(ChildProcess.prototype, "kill", () => true);
  t.after(() => isAlive(stuck) && process.kill(stuck, "SIGKILL"));
  const call = device.call(0, { type: "unload", model: "nobody" }, { timeoutMs: 100 });
  await assert.rejects(call, /unload took over 0.1 s; it does not end: its driver holds it/);
  assert.equal(device.state, "down");
  assert.equal(device.isComingUp, false, "nobody is to wait for it");
  assert.equal(isAlive(stuck), true);
  deaf.mock.restore();
  process.kill(stuck, "SIGKILL");
  await until(engine, () => device.state === "ready");
  assert.equal(device.restarts, 1);
});

test("a device that keeps ending is taken out while others serve, and tried again", async (t) => {
  const { engine, states } = await startEngine(t, {
    devices: 2,
    supervision: { max_restarts: 2, restart_window_s: 5 },
    faults: [{ point: "device.start", action: "exit", device: 0, skip: 1, count: 2 }],
  });
  const broken = engine.devices[0]!;
  // Taken out is what can be spared.
  await until(engine, () => engine.devices.every(({ state }) => state === "ready"));
  process.kill(broken.pid!, "SIGKILL");
  await until(engine, () => broken.state === "failed");
  assert.equal(broken.isComingUp, false);
  await until(engine, () => broken.state === "ready");
  assert.deepEqual(
    states[0]!.filter((state) => state !== "starting"),
    ["ready", "down", "down", "failed", "ready"],
  );
});

test("when no device starts the error says why and where to look, and no process is left", async (t) => {
  const faults = [{ point: "device.start", action: "exit", count: 0 }];
  await assert.rejects(
    startEngine(t, { faults }),
    /no device started \(device 0: injected fault\): `mouthpiece doctor`/,
  );
});

test("a GPU without its libraries is no device, which is said, while the others serve", async (t) => {
  const gpus = { enabled: true, execution_providers: ["cuda"] };
  await assert.rejects(
    startEngine(t, { gpus }),
    /no device started \(device 0: .*the execution provider cuda is not installed/,
  );
  const mixed = { ...gpus, devices: { 1: { execution_providers: ["cpu"] } } };
  const { engine, states } = await startEngine(t, { devices: 2, gpus: mixed });
  assert.equal(engine.devices[1]!.state, "ready");
  assert.match(engine.devices[0]!.lastEnd ?? "", /cuda is not installed/);
  assert.ok(!states[0]!.includes("ready"));
});

test("stop() while devices start ends them", async (t) => {
  const config = parseCoreConfig({ gpus: { count: 2 } }, "test");
  const engine = new Engine(config, silentLogger);
  t.after(() => engine.stop());
  const starting = engine.start().catch((error: unknown) => error);
  const pids = engine.devices.map(({ pid }) => pid!);
  await engine.stop();
  assert.ok((await starting) instanceof Error);
  assert.deepEqual(pids.map(isAlive), [false, false]);
});

test("a machine without a file descriptor to spare gets its device back when it has one", async () => {
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    import { silentLogger } from ${JSON.stringify(urlOf("../../avatar/logger.ts"))};
    import { parseCoreConfig } from ${JSON.stringify(urlOf("../config.ts"))};
    import { Engine } from ${JSON.stringify(urlOf("./engine.ts"))};
    const engine = new Engine(parseCoreConfig({}, "test"), silentLogger);
    await engine.start();
    const [device] = engine.devices;
    let downs = 0;
    device.onStateChange(() => device.state === "down" && downs++);
    const files = [];
    try {
      for (;;) files.push(openSync("/dev/null", "r"));
    } catch {}
    process.kill(device.pid, "SIGKILL");
    while (downs < 2) await sleep(20);
    for (const file of files) closeSync(file);
    while (device.state !== "ready") await sleep(20);
    await engine.stop();
    process.stdout.write("served again");`;
  const limited = 'ulimit -n 100 && exec "$0" --input-type=module --eval "$1"';
  const { stdout } = await promisify(execFile)("sh", ["-c", limited, process.execPath, script], {
    timeout: WAIT_MS,
    killSignal: "SIGKILL",
  });
  assert.equal(stdout, "served again");
});

function urlOf(file: string): string {
  return new URL(file, import.meta.url).href;
}
