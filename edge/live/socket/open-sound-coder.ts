import type { Logger } from "../../../avatar/logger.ts";
import { createOpusCoder } from "./opus-coder.ts";
import type { SoundCodec } from "./server-message.ts";
import { pcmCoder, type SoundCoder } from "./sound-coder.ts";

/** A coder for one viewer; null where it cannot be had: the next one that he can play is tried. */
export function openSoundCoder(codec: SoundCodec, logger: Logger): SoundCoder | null {
  if (codec === "pcm") return pcmCoder;
  try {
    return createOpusCoder();
  } catch (error) {
    logger.error("there is no Opus encoder", { error: String(error) });
    return null;
  }
}
