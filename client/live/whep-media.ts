import { DrawRate } from "../draw-rate.ts";
import type { LivePicture } from "./live-pictures.ts";
import type { SessionMedia } from "./session-media.ts";
import type { WhepPeer } from "./whep-peer.ts";

/**
 * Sound and picture by WebRTC, which the browser plays together in a `<video>` that nobody
 * sees. It has a clock of its own: what is to happen at a time happens when it is told.
 */
export class WhepMedia implements SessionMedia {
  readonly transport = "webrtc";
  readonly skippedFrames = 0;
  readonly leadMs = null;
  readonly #peer: WhepPeer;
  readonly #onStalled: () => void;
  readonly #video = document.createElement("video");
  readonly #rate = new DrawRate();
  readonly #stopUnmuting = new AbortController();
  #volume = 1;
  #isHushed = false;
  #hasPicture = false;
  #isClosed = false;
  #isBlocked = false;
  #receivedBytes = 0;
  #grownMs = performance.now();
  #askedMs = -Infinity;

  /** @param onStalled Nothing comes any more: the background alone is 25 pictures a second. */
  constructor(peer: WhepPeer, onStalled: () => void) {
    this.#peer = peer;
    this.#onStalled = onStalled;
    const video = this.#video;
    video.playsInline = true;
    video.srcObject = peer.stream;
    const look = () => {
      this.#hasPicture = true;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    video.play().catch(() => this.#playSilently());
  }

  get framesPerSecond(): number {
    return this.#rate.perSecond(performance.now());
  }

  get isSoundBlocked(): boolean {
    return this.#isBlocked;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(volume: number) {
    this.#volume = volume;
    this.#video.volume = this.#isHushed ? 0 : volume;
  }

  begin(): void {}

  end(): void {}

  receive(): void {}

  /** The edge sends no more of it; what is on its way is some 100 ms. */
  interrupt(): void {}

  hush(): void {
    this.#isHushed = true;
    this.#video.volume = 0;
  }

  when(_: number, act: () => void): void {
    this.#isHushed = false;
    this.#video.volume = this.#volume;
    act();
  }

  whenSilent(act: () => void): void {
    act();
  }

  tick(): LivePicture | null {
    const nowMs = performance.now();
    if (nowMs - this.#askedMs > STATS_MS) void this.#count(nowMs);
    if (!this.#hasPicture) return null;
    this.#hasPicture = false;
    this.#rate.drawn(nowMs);
    return { timeMs: 1000 * this.#video.currentTime, image: this.#video };
  }

  close(): void {
    this.#isClosed = true;
    this.#stopUnmuting.abort();
    this.#video.srcObject = null;
    this.#peer.close();
  }

  async #count(nowMs: number): Promise<void> {
    this.#askedMs = nowMs;
    const kinds = await Promise.all([this.#peer.inbound("video"), this.#peer.inbound("audio")]);
    const bytes = kinds.reduce((sum, { bytesReceived }) => sum + Number(bytesReceived ?? 0), 0);
    if (bytes > this.#receivedBytes) this.#grownMs = performance.now();
    this.#receivedBytes = bytes;
    if (this.#isClosed || performance.now() - this.#grownMs < STALL_MS) return;
    this.#onStalled();
  }

  /** Without a click browsers play what is muted; the sound begins with the first one. */
  #playSilently(): void {
    const video = this.#video;
    video.muted = true;
    this.#isBlocked = true;
    video.play().catch(() => {});
    const { signal } = this.#stopUnmuting;
    const unmute = () => {
      video.muted = false;
      this.#isBlocked = false;
      this.#stopUnmuting.abort();
    };
    for (const kind of ["pointerdown", "keydown", "touchend"]) {
      document.addEventListener(kind, unmute, { signal, capture: true, passive: true });
    }
  }
}

const STATS_MS = 500;
/** Longer than a cut that WebRTC gets over by itself. */
const STALL_MS = 5000;
