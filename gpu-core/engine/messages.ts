import type { StoredPack } from "../../avatar/manifest.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import type { FaultSpec, Precision } from "../config.ts";
import type { ErrorData } from "../core-error.ts";
import type { SessionOptions } from "../model/session.ts";

/**
 * What the parent, the device process and its worker threads say to each
 * other. Headers are small and travel as JSON; pixels, samples and tensors
 * travel beside them as bytes.
 */

/** What a worker thread is started with. */
export interface WorkerOptions {
  readonly session: SessionOptions;
  /** Every batch size up to it is warmed up. */
  readonly maxBatchSize: number;
  readonly device: number;
  /** Number of this process among those of the device: 0, and one more per restart. */
  readonly process: number;
  readonly faults: readonly FaultSpec[];
}

/** The files of one model; absolute paths. */
export interface ModelFiles {
  readonly unetPath: string;
  /** Null for a bare model: it answers InferBatch only. */
  readonly speech: {
    readonly encoderPath: string;
    /** Models with the same hash share one encoder session. */
    readonly encoderHash: string;
    readonly referencePath: string;
    /** What the manifest says of it. */
    readonly reference: StoredPack;
  } | null;
}

/** One frame to make. */
export interface FrameOrder {
  /** Position in the utterance, in frames. */
  readonly frame: number;
  readonly backgroundIndex: number;
  /** Where the mouth goes; within the frame. */
  readonly region: Rectangle;
}

/** One frame of a batch, which may hold frames of several requests. */
export interface BatchItem {
  /** Number of the speech that was opened on this worker. */
  readonly speech: number;
  readonly order: FrameOrder;
}

/** Milliseconds that a batch spent in each stage. */
export interface BatchTimes {
  melMs: number;
  encoderMs: number;
  prepareMs: number;
  unetMs: number;
  fitMs: number;
}

/** Growth of memory by a load, in bytes. */
export interface ModelMemory {
  /** Resident memory of the device's process. */
  readonly hostBytes: number;
  /** Memory of the device; on a CPU that is the host's. */
  readonly deviceBytes: number;
}

export type WorkerCommand =
  | {
      readonly type: "load";
      readonly model: string;
      readonly files: ModelFiles;
      readonly precision: Precision;
    }
  | { readonly type: "unload"; readonly model: string }
  /** Payload: the samples, 16-bit little-endian. */
  | {
      readonly type: "open-speech";
      readonly speech: number;
      readonly model: string;
      readonly start: number;
      readonly utteranceSamples: number | null;
    }
  /** Items of closed speeches are left out; what remains runs as one batch. */
  | { readonly type: "frames"; readonly model: string; readonly items: readonly BatchItem[] }
  | { readonly type: "close-speech"; readonly speech: number }
  /** Payload: visual tensor, then audio tensor. */
  | { readonly type: "batch"; readonly model: string; readonly count: number };

/** A command on its way to worker `worker`; answers carry the same `call`. */
export interface CommandMessage {
  readonly worker: number;
  readonly call: number;
  readonly command: WorkerCommand;
}

export type ToDevice = CommandMessage | PingMessage;
export type FromDevice = EventMessage | PongMessage;

/** To the device process itself, which answers with a pong. */
export interface PingMessage {
  readonly ping: number;
}

export type WorkerEvent =
  /** The worker thread has run something on its device, and waits for commands. */
  | { readonly type: "started" }
  /** Instead of `started`: the device does not run anything. */
  | { readonly type: "unfit"; readonly reason: string }
  /** Payload: the region's pixels, 8-bit RGB. */
  | { readonly type: "region"; readonly item: number }
  /** Payload of a batch: the outputs, float32 [n,3,320,320]. */
  | { readonly type: "done"; readonly times?: BatchTimes; readonly rssBytes?: number }
  /** `isDeviceFault`: the device itself is in doubt, so its process has to end. */
  | { readonly type: "failed"; readonly error: ErrorData; readonly isDeviceFault?: boolean };

export interface EventMessage {
  readonly worker: number;
  readonly call: number;
  readonly event: WorkerEvent;
}

export interface PongMessage {
  readonly pong: number;
  /** Resident memory of the process in bytes. */
  readonly rssBytes: number;
}
