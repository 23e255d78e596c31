import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { connectCaller, type Spoken } from "../../test/support/core-caller.ts";

/** Frames of a model, from some frame on. */
interface Order {
  readonly call: number;
  readonly id: string;
  readonly frames: number;
  readonly firstFrame: number;
}

/** What is measured of a request; its error as text. */
export type Measured = Omit<Spoken, "error" | "checksums"> & { readonly error: string | null };

interface Answer {
  readonly call: number;
  readonly measured: Measured;
}

/**
 * A caller in a process of its own, as an edge is: what it costs to read
 * answers is not the core's.
 */
export function startCallerProcess(url: string) {
  const child = fork(fileURLToPath(import.meta.url), [url], {
    execArgv: ["--initial-old-space-size=256"],
  });
  const waiting = new Map<number, (measured: Measured) => void>();
  child.on("message", ({ call, measured }: Answer) => {
    waiting.get(call)?.(measured);
    waiting.delete(call);
  });
  let calls = 0;
  return {
    speak(id: string, frames: number, firstFrame = 0): Promise<Measured> {
      const call = ++calls;
      const { promise, resolve } = Promise.withResolvers<Measured>();
      waiting.set(call, resolve);
      child.send({ call, id, frames, firstFrame } satisfies Order);
      return promise;
    },
    close: () => child.kill("SIGKILL"),
  };
}

if (process.send && process.argv[2]) {
  const caller = connectCaller(process.argv[2]);
  process.on("message", async ({ call, id, frames, firstFrame }: Order) => {
    const { error, checksums: _, ...numbers } = await caller.speak(id, frames, { firstFrame });
    const measured = { ...numbers, error: error && String(error) };
    process.send?.({ call, measured } satisfies Answer);
  });
}
