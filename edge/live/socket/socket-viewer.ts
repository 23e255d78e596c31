import type {
  LiveFormat,
  LiveFrame,
  LiveSound,
  LiveViewer,
  ViewerControl,
  ViewerReport,
} from "../live-media.ts";
import { type BinaryKind, encodeBinary } from "./binary-frame.ts";
import { FlightWindow } from "./flight-window.ts";
import type { Outbox } from "./outbox.ts";
import type { CodedSound, SoundCoder } from "./sound-coder.ts";

/**
 * Pictures that may wait in the network: 120 ms of JPEG, where one that is dropped is the
 * only one. H.264 that was dropped freezes up to its next key frame, a second at worst:
 * 400 ms outlast a packet that TCP has to send again.
 */
const QUEUE_FRAMES: Readonly<Record<LiveFormat, number>> = { jpeg: 3, h264: 10 };

export interface SocketViewerOptions {
  readonly format: LiveFormat;
  readonly outbox: Outbox;
  readonly sound: SoundCoder;
  readonly now: () => number;
  /** Of sound that could not be coded. */
  readonly onError: (error: unknown) => void;
}

/**
 * Somebody who watches over a WebSocket. What his network cannot take is
 * dropped, never queued: JPEG frames one by one, H.264 up to the next key frame.
 */
export class SocketViewer implements LiveViewer {
  readonly format: LiveFormat;
  readonly #options: SocketViewerOptions;
  readonly #window: FlightWindow;
  #control: ViewerControl | null = null;
  #sequence = 0;
  /** No decoder can begin in the middle. */
  #waitsForKeyFrame = true;
  #voidSegment = 0;
  #dropped = 0;

  constructor(options: SocketViewerOptions) {
    this.format = options.format;
    this.#options = options;
    this.#window = new FlightWindow(options.now, QUEUE_FRAMES[options.format]);
  }

  /** Frames that the network was too slow for. */
  get dropped(): number {
    return this.#dropped;
  }

  get report(): ViewerReport {
    return { transport: "websocket", droppedFrames: this.#dropped };
  }

  /** The session that he watches. */
  watch(control: ViewerControl): void {
    this.#control = control;
  }

  acknowledge(sequence: number): void {
    this.#window.acknowledge(Math.min(sequence, this.#sequence));
  }

  frame(frame: LiveFrame): void {
    if (!this.#window.hasRoomForFrame) {
      this.#dropped++;
      // A picture that depends on one that was dropped cannot be shown.
      this.#waitsForKeyFrame ||= frame.format === "h264";
      return;
    }
    if (this.#waitsForKeyFrame && !frame.isKeyFrame) {
      this.#control?.requestKeyFrame();
      return;
    }
    this.#waitsForKeyFrame = false;
    const { format, isKeyFrame, timestampMs, parts, segment } = frame;
    this.#send(format, { isKeyFrame, timestampMs, segment: segment ?? 0 }, parts, null);
  }

  sound(sound: LiveSound): void {
    const { segment } = sound;
    if (segment <= this.#voidSegment || !this.#window.hasRoomForSound) return;
    const coder = this.#options.sound;
    for (const { bytes, timestampMs } of this.#encode(sound)) {
      this.#send(coder.codec, { isKeyFrame: true, timestampMs, segment }, [bytes], segment);
    }
  }

  interrupted(segment: number): void {
    this.#voidSegment = segment;
    this.#options.outbox.dropSound(segment);
  }

  /** The connection says so to everybody. */
  ended(): void {}

  /** Sound that cannot be coded is lost: the session goes on. */
  #encode(sound: LiveSound): CodedSound[] {
    try {
      return this.#options.sound.encode(sound);
    } catch (error) {
      this.#options.onError(error);
      return [];
    }
  }

  #send(
    kind: BinaryKind,
    of: { readonly isKeyFrame: boolean; readonly timestampMs: number; readonly segment: number },
    parts: readonly Uint8Array[],
    soundOf: number | null,
  ): void {
    const sequence = ++this.#sequence;
    this.#window.sent(sequence, soundOf !== null);
    const { timestampMs } = of;
    const header = { ...of, kind, sequence, timestampMs: Math.round(timestampMs) };
    this.#options.outbox.push(encodeBinary(header, parts), soundOf);
  }
}
