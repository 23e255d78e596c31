import { type Picture, StageCanvas } from "../stage-canvas.ts";

/**
 * Where a session is seen: a canvas, a `<video>` element, or an element that a
 * canvas is put into.
 */
export class SessionStage {
  readonly #canvas: HTMLCanvasElement;
  readonly #stage: StageCanvas;
  readonly #video: HTMLVideoElement | null;
  readonly #isOurs: boolean;

  constructor(element: HTMLElement) {
    const isCanvas = element instanceof HTMLCanvasElement;
    this.#canvas = isCanvas ? element : document.createElement("canvas");
    this.#stage = new StageCanvas(this.#canvas);
    this.#video = element instanceof HTMLVideoElement ? element : null;
    this.#isOurs = !isCanvas && !this.#video;
    if (this.#video) {
      this.#video.srcObject = this.#canvas.captureStream();
      this.#video.muted = true;
      this.#video.playsInline = true;
      // Rejects where the element is taken away before it has begun.
      this.#video.play().catch(() => {});
    } else if (this.#isOurs) {
      this.#canvas.style.cssText = "display:block;width:100%;height:auto";
      element.append(this.#canvas);
    }
  }

  draw(image: Picture, width: number, height: number): void {
    this.#stage.resize(width, height);
    this.#stage.draw(image, performance.now());
  }

  /** A canvas of the page keeps its last picture. */
  close(): void {
    if (this.#video) this.#video.srcObject = null;
    if (this.#isOurs) this.#canvas.remove();
  }
}
