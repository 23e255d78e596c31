import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { FaultInjector } from "../faults.ts";
import { NO_PAYLOAD, openMessageChannel } from "./message-channel.ts";
import type { FromDevice, ToDevice, WorkerOptions } from "./messages.ts";
import type { ThreadCommand, ThreadEvent } from "./worker-thread.ts";

/**
 * Entry of a device process: passes messages between the parent (pipe on file
 * descriptor 3) and the worker threads. It never runs a model itself, so it
 * answers while they do.
 *
 * Arguments: the number of workers, and WorkerOptions as JSON.
 */
const PARENT_PIPE = 3;

const workerCount = Number(process.argv[2]);
const options: WorkerOptions = JSON.parse(process.argv[3] ?? "");

const parent = new Socket({ fd: PARENT_PIPE });
const workers: Worker[] = [];

const faults = new FaultInjector(options.faults, options);

const send = openMessageChannel<ToDevice, FromDevice>(parent, (message, payload) => {
  if ("ping" in message) {
    answer(message.ping);
    return;
  }
  const { call, command } = message;
  const forward: ThreadCommand = { call, command, payload };
  const transfer = payload.length > 0 ? [payload.buffer] : [];
  workers[message.worker]?.postMessage(forward, transfer);
});

// The parent has gone. A thread inside a run cannot be stopped any other way.
parent.on("close", () => process.kill(process.pid, "SIGKILL"));
parent.on("error", () => process.kill(process.pid, "SIGKILL"));
// The parent drains and then closes the pipe: an interrupt at the terminal is its business.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("SIGHUP", () => {});

function answer(pong: number): void {
  const fault = faults.hit("device.ping");
  if (fault?.action === "hang") return;
  if (fault?.action === "exit") process.kill(process.pid, "SIGKILL");
  const reply = () => send({ pong, rssBytes: process.memoryUsage.rss() });
  if (fault?.action === "delay") setTimeout(reply, fault.delay_ms);
  else reply();
}

for (let index = 0; index < workerCount; index++) {
  const worker = new Worker(new URL("./worker-thread.ts", import.meta.url), {
    workerData: options,
  });
  worker.on("message", ({ call, event, payload }: ThreadEvent) => {
    send({ worker: index, call, event }, payload ?? NO_PAYLOAD);
  });
  worker.on("error", (error) => {
    // What a dead thread held is gone: start over with a clean process.
    process.stderr.write(`worker ${index} ended: ${error.stack ?? error.message}\n`);
    process.kill(process.pid, "SIGKILL");
  });
  workers.push(worker);
}
