import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What espeak-ng shall say, and how. */
export interface Order {
  /** `language+variant`, e.g. `en-us+f2` */
  readonly voice: string;
  /** Words per minute. */
  readonly rate: number;
  /** 0..100, 50 is the voice's own. */
  readonly pitch: number;
  readonly text: string;
}

/** Speech with the phonemes that are in it. */
export interface Utterance {
  /** -1..1 */
  readonly samples: Float32Array;
  readonly sampleRate: number;
  /** IPA, "" for a pause, in order; each lasts until the next. */
  readonly phonemes: readonly { readonly startMs: number; readonly ipa: string }[];
}

interface Head {
  readonly sampleRate: number;
  readonly samples: number;
  readonly phonemes: readonly [ms: number, ipa: string][];
}

/**
 * Speaks the orders one after the other. Needs espeak-ng and python3.
 * @throws Error when one of them is missing or a voice is unknown
 */
export async function* speak(orders: readonly Order[]): AsyncGenerator<Utterance> {
  const script = fileURLToPath(new URL("espeak-events.py", import.meta.url));
  const child = spawn("python3", [script], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  child.stdin.on("error", () => {
    // The exit status tells more.
  });
  child.stdin.end(orders.map((order) => `${JSON.stringify(order)}\n`).join(""));
  let waiting = Buffer.alloc(0);
  let head: Head | null = null;
  for await (const chunk of child.stdout) {
    waiting = Buffer.concat([waiting, chunk as Buffer]);
    for (;;) {
      if (head === null) {
        const end = waiting.indexOf("\n");
        if (end < 0) break;
        head = JSON.parse(waiting.toString("utf8", 0, end)) as Head;
        waiting = waiting.subarray(end + 1);
      }
      const bytes = head.samples * 2;
      if (waiting.length < bytes) break;
      yield utterance(head, waiting.subarray(0, bytes));
      waiting = waiting.subarray(bytes);
      head = null;
    }
  }
  const [status] = await exit;
  if (status !== 0) throw new Error(`espeak-events.py ended with ${status}: install espeak-ng`);
}

function utterance({ sampleRate, samples: count, phonemes }: Head, pcm: Buffer): Utterance {
  const samples = Float32Array.from({ length: count }, (_, i) => pcm.readInt16LE(2 * i) / 32768);
  return {
    samples,
    sampleRate,
    phonemes: phonemes.map(([startMs, ipa]) => ({ startMs, ipa })),
  };
}
