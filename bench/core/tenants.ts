import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { SeededRandom } from "../../test/fuzz/random.ts";
import { manyIds, writeManyAvatars } from "../../test/support/many-avatars.ts";
import { round } from "../compare.ts";
import type { Rows } from "../rows.ts";
import { startCallerProcess } from "./caller-process.ts";

/** The published figure: a second of speech in four. */
const TENANTS = 8;
const FRAMES = 8;
/** Together the others ask for so much of what the worker can do. */
const UTILISATION = 0.4;
const NOISE = 20;
const PHASE_MS = 15_000;
const ROUNDS = 3;
const SEED = 5;

/**
 * One tenant who sends 20 times his share, against a real core: latency of the
 * others' requests with and without him, in turns.
 */
export async function benchTenants(): Promise<Rows> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  const ids = manyIds(TENANTS + 1, "tenant");
  await writeManyAvatars(root, ids);
  const config = {
    models_root: root,
    // One thread for the model, so that the callers have a core, too.
    server: { port: 0, queue_size: 200 },
    gpus: { cpu_threads_per_worker: 1 },
  };
  const running = await startCore(parseCoreConfig(config, "bench"), silentLogger);
  const caller = startCallerProcess(running.url);
  const noisy = startCallerProcess(running.url);
  try {
    for (const id of ids) await caller.speak(id, FRAMES);
    const alone = [];
    // The worker is taken for longer than it computes; the caller's way home is not the worker's.
    for (let i = 0; i < 20; i++) alone.push((await caller.speak(ids[0]!, FRAMES)).ms);
    const requestMs = alone.reduce((a, b) => a + b) / alone.length;
    const everyMs = (TENANTS * requestMs) / UTILISATION;
    const quiet: number[] = [];
    const loud: number[] = [];
    let errors = 0;
    let noise = 0;
    const phase = async (latencies: number[], isLoud: boolean, seed: number) => {
      const endMs = performance.now() + PHASE_MS;
      const random = new SeededRandom(seed);
      const pending: Promise<void>[] = [];
      const arrivals = async (rateEveryMs: number, send: () => Promise<void>) => {
        while (performance.now() < endMs) {
          // Poisson arrivals: nobody keeps step with anybody.
          const waitMs = -Math.log(1 - random.unit()) * rateEveryMs;
          await new Promise((resolve) => setTimeout(resolve, waitMs));
          pending.push(send());
        }
      };
      const tenants = ids.slice(1).map((id) =>
        arrivals(everyMs, async () => {
          const { ms, error } = await caller.speak(id, FRAMES);
          if (error) errors++;
          else latencies.push(ms);
        }),
      );
      const noiseMaker = isLoud
        ? arrivals(everyMs / NOISE, async () => {
            const { error } = await noisy.speak(ids[0]!, FRAMES);
            if (!error) noise++;
          })
        : Promise.resolve();
      await Promise.all([...tenants, noiseMaker]);
      await Promise.all(pending);
    };
    for (let n = 0; n < ROUNDS; n++) {
      await phase(quiet, false, SEED + n);
      await phase(loud, true, SEED + n);
    }
    const at = (values: number[], share: number) =>
      values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;
    const row = (who: string, values: number[]) => ({
      others: who,
      requests: values.length,
      "p50 ms": round(at(values, 0.5), 1),
      "p99 ms": round(at(values, 0.99), 1),
    });
    return [
      { ...row("alone", quiet), errors, "his requests": 0, "p99 grows by": "" },
      {
        ...row(`with one who sends ${NOISE}x`, loud),
        errors,
        "his requests": noise,
        "p99 grows by": `${Math.round(100 * (at(loud, 0.99) / at(quiet, 0.99) - 1))} %`,
      },
    ];
  } finally {
    caller.close();
    noisy.close();
    await running.stop();
    await rm(root, { recursive: true, force: true });
  }
}
