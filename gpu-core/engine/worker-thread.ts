import { parentPort, workerData } from "node:worker_threads";
import { toErrorData } from "../core-error.ts";
import { proveDevice } from "../model/device-proof.ts";
import { judgeFailure } from "./judge-failure.ts";
import { NO_PAYLOAD } from "./message-channel.ts";
import type { WorkerCommand, WorkerEvent, WorkerOptions } from "./messages.ts";
import { WorkerState } from "./worker-state.ts";

/**
 * Entry of a worker thread: carries out one command at a time. onnxruntime
 * blocks the thread while it runs, which is why there is nothing else in it.
 */

/** A message between device process and worker thread; the payload is transferred. */
export interface ThreadCommand {
  readonly call: number;
  readonly command: WorkerCommand;
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface ThreadEvent {
  readonly call: number;
  readonly event: WorkerEvent;
  readonly payload: Uint8Array;
}

const port = parentPort;
if (!port) throw new Error("worker-thread.ts runs as a worker thread");
// The device process starts this thread with exactly these options.
const options = workerData as WorkerOptions;
const state = new WorkerState(options);
const prove = () => proveDevice(options.session);
const doubt = options.session.providers[0] === "cpu" ? null : prove;
// A device that cannot run anything is to be known before a model meets it.
let tail: Promise<void> = prove().then(
  () => send(0, { type: "started" }),
  (error: unknown) => send(0, { type: "unfit", reason: toErrorData(error).message }),
);

port.on("message", ({ call, command, payload }: ThreadCommand) => {
  if (command.type === "close-speech") {
    // Not queued behind the frames that it is meant to stop.
    state.closeSpeech(command.speech);
    return;
  }
  if (command.type === "open-speech") state.expectSpeech(command.speech);
  tail = tail.then(async () => {
    try {
      await state.execute(command, payload, (event, bytes) => send(call, event, bytes));
    } catch (error) {
      send(call, await judgeFailure(error, doubt));
    }
  });
});

function send(call: number, event: WorkerEvent, payload: Uint8Array = NO_PAYLOAD): void {
  // onnxruntime owns the buffers of its outputs, and scratch space is reused.
  const owned = payload.length === 0 ? NO_PAYLOAD : payload.slice();
  const message: ThreadEvent = { call, event, payload: owned };
  port?.postMessage(message, payload.length === 0 ? [] : [owned.buffer]);
}
