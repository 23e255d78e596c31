import { median, round } from "../compare.ts";

const ROUNDS = 7;

/** Does its work so many times, in one request where there are requests. */
type Run = (times: number) => Promise<void>;

/** How often: few and many, so that the request itself drops out. */
export interface Repeats {
  readonly few: number;
  readonly many: number;
}

/** What a frame costs inside workerd and in Node, in turns. */
export async function compareWorkerd(inWorkerd: Run, inNode: Run, repeats: Repeats) {
  await inWorkerd(repeats.many);
  await inNode(repeats.many);
  const workerd: number[] = [];
  const node: number[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    workerd.push(await perFrame(inWorkerd, repeats));
    node.push(await perFrame(inNode, repeats));
  }
  return {
    "ms, workerd": round(median(workerd)),
    "ms, Node": round(median(node)),
    "workerd / Node": round(median(workerd.map((ms, n) => ms / node[n]!)), 2),
  };
}

async function perFrame(run: Run, { few, many }: Repeats): Promise<number> {
  const timed = async (times: number) => {
    const started = performance.now();
    await run(times);
    return performance.now() - started;
  };
  return ((await timed(many)) - (await timed(few))) / (many - few);
}
