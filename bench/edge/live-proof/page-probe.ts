import type { Page } from "playwright-core";
import { FLASH } from "./flash-avatar.ts";

/** A picture as the page shows it. Times are Unix milliseconds. */
export interface SeenPicture {
  readonly atMs: number;
  /** Number of its background frame; null when it cannot be read. */
  readonly stamp: number | null;
  /** Of the mouth, 0 to 255. */
  readonly light: number;
}

/** Sound begins or has ended, at the loudspeaker. */
export interface HeardEdge {
  readonly atMs: number;
  readonly isLoud: boolean;
}

export interface Probe {
  readonly pictures: SeenPicture[];
  readonly edges: HeardEdge[];
  /** Taps a node of a page's own. */
  listen(node: AudioNode): Promise<void>;
  /** Reads what a canvas or video shows now. */
  look(image: CanvasImageSource, atMs: number): void;
}

/** Before anything else in the page. */
export function installProbe(page: Page): Promise<unknown> {
  return page.addInitScript(probeInPage, FLASH);
}

/** What has been seen and heard since the last call. */
export function takeProbe(page: Page): Promise<Pick<Probe, "pictures" | "edges">> {
  return page.evaluate(() => {
    const { pictures, edges } = (globalThis as unknown as { probe: Probe }).probe;
    return { pictures: pictures.splice(0), edges: edges.splice(0) };
  });
}

function probeInPage({ bits, square, mouth }: typeof FLASH): void {
  const pictures: SeenPicture[] = [];
  const edges: HeardEdge[] = [];
  const { connect } = AudioNode.prototype;
  // Loud above 0.05, and silent when nothing was for 30 ms: then the last loud sample counts.
  const source = `registerProcessor("edges", class extends AudioWorkletProcessor {
    #last = -1;
    process([[channel]]) {
      for (let n = 0; channel && n < channel.length; n++) {
        if (Math.abs(channel[n]) < 0.05) continue;
        const at = currentTime + n / sampleRate;
        if (this.#last < 0) this.port.postMessage({ isLoud: true, at });
        this.#last = at;
      }
      if (this.#last >= 0 && currentTime - this.#last > 0.03) {
        this.port.postMessage({ isLoud: false, at: this.#last });
        this.#last = -1;
      }
      return true;
    }
  })`;
  const listen = async (node: AudioNode) => {
    const context = node.context as AudioContext;
    const code = new Blob([source], { type: "text/javascript" });
    await context.audioWorklet.addModule(URL.createObjectURL(code));
    const tap = new AudioWorkletNode(context, "edges", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }: MessageEvent<{ isLoud: boolean; at: number }>) => {
      const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
      const atMs = performance.timeOrigin + performanceTime + 1000 * (data.at - contextTime);
      edges.push({ atMs, isLoud: data.isLoud });
    };
    connect.call(node, tap as never);
  };
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode, ...rest: number[]) {
    if (to === this.context.destination) void listen(this);
    return (connect as (to: AudioNode, ...rest: number[]) => AudioNode).call(this, to, ...rest);
  } as typeof connect;

  const small = new OffscreenCanvas(2 * bits + 1, 1);
  const pixels = small.getContext("2d", { willReadFrequently: true })!;
  pixels.imageSmoothingEnabled = false;
  const look = (image: CanvasImageSource, atMs: number) => {
    const middle = square / 2 - 1;
    pixels.drawImage(image, 0, middle, 2 * bits * square, 2, 0, 0, 2 * bits, 1);
    const [x, y] = [mouth.x + mouth.width / 2, mouth.y + mouth.height / 2];
    pixels.drawImage(image, x, y, 2, 2, 2 * bits, 0, 1, 1);
    const { data } = pixels.getImageData(0, 0, 2 * bits + 1, 1);
    let [value, check] = [0, 0];
    for (let n = 0; n < bits; n++) {
      if (data[4 * n]! > 128) value |= 1 << n;
      if (data[4 * (n + bits)]! <= 128) check |= 1 << n;
    }
    const light = data[8 * bits]!;
    const stamp = value === check ? value : null;
    const last = pictures.at(-1);
    // A screen shows a picture more than once.
    if (last && last.stamp === stamp && Math.abs(last.light - light) < 8) return;
    pictures.push({ atMs: performance.timeOrigin + atMs, stamp, light });
  };
  Object.assign(globalThis, { probe: { pictures, edges, listen, look } });
}
