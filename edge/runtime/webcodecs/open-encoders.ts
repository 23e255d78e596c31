import { SettingsError } from "../../../avatar/settings.ts";
import type { EncoderFormat, WholeFrameEncoders } from "../../speak/whole-frame-encoder.ts";
import { MinorCollector } from "./minor-collector.ts";
import { WebCodecsFrameEncoder } from "./webcodecs-encoder.ts";
import type { WebCodecs } from "./webcodecs-module.ts";

/** Longest wait for an access unit; encoding one takes some ten milliseconds. */
const ENCODE_LIMIT_MS = 5000;
/** The first encoder of a process takes a tenth of a second longer. */
const TRIAL = { width: 320, height: 240, framesPerSecond: 25, kilobitsPerSecond: 300 };
const TRIAL_FRAMES = 4;

/**
 * Encoders by @napi-rs/webcodecs, which have shown that they work: each frame
 * of a trial came before the next was given.
 * @throws SettingsError when they do not
 */
export async function openEncoders(
  webcodecs: WebCodecs,
  limitMs = ENCODE_LIMIT_MS,
): Promise<WholeFrameEncoders> {
  const collector = new MinorCollector();
  const encoders: WholeFrameEncoders = {
    open: (format) => new WebCodecsFrameEncoder({ webcodecs, format, collector, limitMs }),
  };
  try {
    await tryOut(encoders, TRIAL);
  } catch (cause) {
    const { message } = cause as Error;
    throw new SettingsError(
      `video.whole_frames: @napi-rs/webcodecs is of no use here: ${message}`,
      {
        cause,
      },
    );
  }
  return encoders;
}

async function tryOut(encoders: WholeFrameEncoders, format: EncoderFormat): Promise<void> {
  const encoder = encoders.open(format);
  try {
    const picture = new Uint8Array(format.width * format.height * 1.5).fill(128);
    for (let n = 0; n < TRIAL_FRAMES; n++) {
      picture.fill(64, 0, 1000 * n);
      await encoder.encode(picture, n === 0);
    }
  } finally {
    encoder.close();
  }
}
