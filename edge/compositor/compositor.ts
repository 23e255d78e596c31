import type { RgbaImage } from "../../avatar/image/types.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { module } from "./gen/compositor.js";

interface Kernels {
  readonly memory: WebAssembly.Memory;
  alloc(bytes: number): number;
  paste(
    frame: number,
    frameWidth: number,
    region: number,
    x: number,
    y: number,
    width: number,
    height: number,
  ): void;
}

/**
 * Puts mouths into background frames, as SyncTalk_2D does: the region replaces
 * what was there, and nothing else changes.
 */
export class Compositor {
  readonly #kernels: Kernels;
  readonly #frame: Scratch;
  readonly #region: Scratch;

  constructor() {
    const instance = new WebAssembly.Instance(module, { env: { abort: fail } });
    // The exports are those of assembly/compositor.ts.
    this.#kernels = instance.exports as unknown as Kernels;
    this.#frame = { pointer: 0, bytes: 0 };
    this.#region = { pointer: 0, bytes: 0 };
  }

  /**
   * @param background 8-bit RGBA, not changed
   * @param region within the frame
   * @param pixels 8-bit RGB [region.height, region.width, 3]
   * @returns a new frame
   */
  paste(background: RgbaImage, region: Rectangle, pixels: Uint8Array): RgbaImage {
    const { width, height, data } = background;
    const { x, y } = region;
    if (x < 0 || y < 0 || x + region.width > width || y + region.height > height) {
      throw new RangeError(
        `a region at ${x},${y} of ${region.width}x${region.height} leaves a ${width}x${height} frame`,
      );
    }
    const kernels = this.#kernels;
    this.#reserve(this.#frame, data.length);
    this.#reserve(this.#region, pixels.length);
    const memory = new Uint8Array(kernels.memory.buffer);
    memory.set(data, this.#frame.pointer);
    memory.set(pixels, this.#region.pointer);
    kernels.paste(
      this.#frame.pointer,
      width,
      this.#region.pointer,
      x,
      y,
      region.width,
      region.height,
    );
    const start = this.#frame.pointer;
    return {
      width,
      height,
      data: new Uint8ClampedArray(memory.slice(start, start + data.length).buffer),
    };
  }

  /** Grows only: frames and mouths of a few avatars have a few sizes. */
  #reserve(scratch: Scratch, bytes: number): void {
    if (scratch.bytes >= bytes) return;
    scratch.pointer = this.#kernels.alloc(bytes);
    scratch.bytes = bytes;
  }
}

interface Scratch {
  pointer: number;
  bytes: number;
}

function fail(): never {
  throw new Error("a compositing kernel stopped");
}
