import type { StoredPack } from "../../avatar/manifest.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
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

/** Milliseconds that a batch spent in each stage. */
export interface BatchTimes {
  melMs: number;
  encoderMs: number;
  prepareMs: number;
  unetMs: number;
  fitMs: number;
}

export type WorkerCommand =
  | { readonly type: "load"; readonly model: string; readonly files: ModelFiles }
  | { readonly type: "unload"; readonly model: string }
  /** Payload: the samples, 16-bit little-endian. */
  | {
      readonly type: "open-speech";
      readonly speech: number;
      readonly model: string;
      readonly start: number;
      readonly utteranceSamples: number | null;
    }
  | { readonly type: "frames"; readonly speech: number; readonly orders: readonly FrameOrder[] }
  | { readonly type: "close-speech"; readonly speech: number }
  /** Payload: visual tensor, then audio tensor. */
  | { readonly type: "batch"; readonly model: string; readonly count: number };

/** A command on its way to worker `worker`; answers carry the same `call`. */
export interface CommandMessage {
  readonly worker: number;
  readonly call: number;
  readonly command: WorkerCommand;
}

export type WorkerEvent =
  /** The worker thread runs and waits for commands. */
  | { readonly type: "started" }
  /** Payload: the region's pixels, 8-bit RGB. */
  | { readonly type: "region"; readonly frame: number }
  /** Payload of a batch: the outputs, float32 [n,3,320,320]. */
  | { readonly type: "done"; readonly times?: BatchTimes; readonly rssBytes?: number }
  | { readonly type: "failed"; readonly error: ErrorData };

export interface EventMessage {
  readonly worker: number;
  readonly call: number;
  readonly event: WorkerEvent;
}
