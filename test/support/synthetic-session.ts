import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { type LiveSession, openSession } from "../../edge/compositor/h264/live-session.ts";
import { pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import type { LiveFrame, LiveViewer, ViewerControl } from "../../edge/live/live-media.ts";

export const STAMP_SIZE = { width: 320, height: 240 };
/** The stamp is a row of squares at the top: the position in binary, and then its complement. */
export const STAMP_BITS = 8;
export const STAMP_SQUARE = 16;
const REGION = { x: 96, y: 128, width: 128, height: 64 };
const FRAME_MS = 40;
const SAMPLES_PER_MS = 16;

/** A loop whose pictures say where they are in it. */
export async function stampedTrack(positions: number): Promise<Track> {
  const { width, height } = STAMP_SIZE;
  return encodeTrack(
    {
      width,
      height,
      order: Array.from({ length: positions }, (_, n) => n),
      regionOf: () => REGION,
      read: async (n) => stampedPicture(n),
    },
    { framesPerSecond: 25, mode: "band", softEdge: 0, intraQp: 26, interQp: 28, groupFrames: 50 },
  );
}

function stampedPicture(position: number) {
  const { width, height } = STAMP_SIZE;
  const picture = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
  const [luma, ...colours] = planesOf(picture);
  for (const { data } of colours) data.fill(128);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Something that moves, so that pictures have a size worth sending.
      let value = 128 + 60 * Math.sin((x + 2 * position) / 7) * Math.cos((y - position) / 9);
      const square = Math.floor(x / STAMP_SQUARE);
      if (y < STAMP_SQUARE && square < 2 * STAMP_BITS) {
        const bit = (position >> (square % STAMP_BITS)) & 1;
        value = (square < STAMP_BITS ? bit : 1 - bit) * 219 + 16;
      }
      luma!.data[y * width + x] = value;
    }
  }
  return picture;
}

/** A live session without a core: a stamped loop, a mouth that is noise, and a tone. */
export class SyntheticSession {
  readonly #session: LiveSession;
  readonly #viewers = new Set<LiveViewer>();
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  #sent = 0;
  #wantsKey = false;
  isSpeaking = true;
  keyRequests = 0;
  readonly keyPositions: number[] = [];
  kilobits: (number | null)[] = [];

  constructor(track: Track) {
    this.#session = openSession(track);
    this.#timer = setInterval(() => this.#catchUp(), 5);
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  readonly attach = (viewer: LiveViewer): ViewerControl => {
    this.#viewers.add(viewer);
    return {
      requestKeyFrame: () => {
        this.keyRequests++;
        this.#wantsKey = true;
      },
      setVideoKilobits: (limit) => {
        this.kilobits.push(limit);
        this.#session.setRate({ kilobitsPerSecond: limit, minQp: 20, maxQp: 40 });
      },
      leave: () => this.#viewers.delete(viewer),
    };
  };

  stop(): void {
    clearInterval(this.#timer);
    for (const viewer of this.#viewers) viewer.ended("the test is over");
  }

  #catchUp(): void {
    while (this.#sent * FRAME_MS <= performance.now() - this.#startedAt) this.#next();
  }

  #next(): void {
    const timestampMs = this.#sent++ * FRAME_MS;
    const { region } = this.#session.next;
    const mouth = this.isSpeaking ? noise(region.width * region.height * 3, this.#sent) : null;
    const unit = this.#session.nextFrame({ mouth, keyFrame: this.#wantsKey });
    if (unit.isKeyFrame) {
      this.#wantsKey = false;
      this.keyPositions.push(unit.position);
    }
    const segment = this.isSpeaking ? 1 : null;
    const frame: LiveFrame = { format: "h264", ...unit, timestampMs, segment };
    for (const viewer of this.#viewers) {
      viewer.frame(frame);
      if (this.isSpeaking) viewer.sound({ samples: tone(timestampMs), timestampMs, segment: 1 });
    }
  }
}

function noise(bytes: number, seed: number): Uint8Array {
  const mouth = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) mouth[i] = 128 + 50 * Math.sin(seed + i * 0.37);
  return mouth;
}

/** 440 Hz that goes on without a jump. */
function tone(timestampMs: number): Int16Array {
  const samples = new Int16Array(FRAME_MS * SAMPLES_PER_MS);
  for (let i = 0; i < samples.length; i++) {
    const seconds = timestampMs / 1000 + i / 16_000;
    samples[i] = 10_000 * Math.sin(2 * Math.PI * 440 * seconds);
  }
  return samples;
}
