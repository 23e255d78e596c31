import { spawn } from "node:child_process";
import { decodeSpeech } from "../../edge/audio/decode-audio.ts";

/** Of the WAV file that is streamed: its lengths mean nothing. */
const WAV_HEADER_BYTES = 44;

/**
 * What a text-to-speech command writes, at 16 kHz, while it speaks.
 * @param command writes 16-bit mono WAV to its output; the text comes in by its input
 */
export async function* speak(
  text: string,
  command: readonly string[] = ["espeak-ng", "--stdout"],
): AsyncGenerator<Int16Array> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});
  // A command that cares for no text is done before it is written.
  child.stdin.on("error", () => {});
  child.stdin.end(text);
  try {
    const pieces = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    let head = new Uint8Array(0);
    while (head.length < WAV_HEADER_BYTES) {
      const { done, value } = await Promise.race([pieces.next(), failed]);
      if (done) return;
      head = Uint8Array.from([...head, ...value]);
    }
    const rate = new DataView(head.buffer).getUint32(24, true);
    async function* samples(): AsyncGenerator<Uint8Array> {
      yield head.subarray(WAV_HEADER_BYTES);
      for (let step = await pieces.next(); !step.done; step = await pieces.next()) yield step.value;
    }
    yield* decodeSpeech(samples(), `audio/l16;rate=${rate}`, {});
  } finally {
    child.kill();
  }
}
