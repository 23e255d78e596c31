/** A decoded frame. */
export type Picture = ImageBitmap | VideoFrame;

/**
 * The canvas an avatar is drawn on. Where speech ends or is cut off, the last
 * picture dissolves into the next ones, so that an open mouth closes instead of
 * vanishing.
 */
export class StageCanvas {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #leaving: OffscreenCanvas | null = null;
  #leftAtMs = 0;

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("the canvas has another kind of context already");
    this.#canvas = canvas;
    this.#context = context;
  }

  /** Sets the size in pixels, when it is another. */
  resize(width: number, height: number): void {
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
  }

  draw(image: Picture, nowMs: number): void {
    const { width, height } = this.#canvas;
    this.#context.drawImage(image, 0, 0, width, height);
    if (!this.#leaving) return;
    const opacity = 1 - (nowMs - this.#leftAtMs) / DISSOLVE_MS;
    if (opacity <= 0) {
      this.#leaving = null;
      return;
    }
    this.#context.globalAlpha = opacity;
    this.#context.drawImage(this.#leaving, 0, 0);
    this.#context.globalAlpha = 1;
  }

  /** Lets what is on the canvas now dissolve into what is drawn from here on. */
  dissolve(nowMs: number): void {
    const { width, height } = this.#canvas;
    if (width === 0 || height === 0) return;
    this.#leaving = new OffscreenCanvas(width, height);
    this.#leaving.getContext("2d")?.drawImage(this.#canvas, 0, 0);
    this.#leftAtMs = nowMs;
  }
}

/** Three frames: about as fast as lips close. */
const DISSOLVE_MS = 120;
