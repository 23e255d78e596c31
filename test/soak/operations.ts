import { Code, ConnectError } from "@connectrpc/connect";
import { Priority } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import type { SeededRandom } from "../fuzz/random.ts";
import type { CoreCaller, Spoken } from "../support/core-caller.ts";

/** Frames of the utterance that the callers share. */
export const UTTERANCE_FRAMES = 240;
const VISUAL_BYTES = 6 * 320 * 320 * 4;
const AUDIO_BYTES = 32 * 16 * 16 * 4;

/** What a client does, with what may come of it. */
export interface Operation {
  readonly name: string;
  readonly weight: number;
  run(context: OperationContext): Promise<Outcome>;
}

export interface OperationContext {
  readonly caller: CoreCaller;
  readonly random: SeededRandom;
  /** Draws the id of a good model. */
  readonly draw: () => string;
  /** CRC-32 of the pixels of each frame. */
  readonly expected: readonly number[];
  readonly brokenId: string;
}

/** `ok`, a refusal that may happen, or what must not happen. */
export type Outcome = "ok" | { refused: string } | { wrong: string };

/** A core that is overloaded or lost a device twice may say so. */
const MAY_HAPPEN: readonly Code[] = [Code.ResourceExhausted, Code.Unavailable];

export const OPERATIONS: readonly Operation[] = [
  {
    name: "speak",
    weight: 60,
    run: ({ caller, random, draw, expected }) => {
      const { first, frames } = pickWindow(random, 50);
      return judge(caller.speak(draw(), frames, { firstFrame: first }), first, expected);
    },
  },
  {
    name: "speak offline",
    weight: 6,
    run: ({ caller, random, draw, expected }) => {
      const { first, frames } = pickWindow(random, 50);
      const options = { firstFrame: first, priority: Priority.BATCH };
      return judge(caller.speak(draw(), frames, options), first, expected);
    },
  },
  {
    name: "leave",
    weight: 8,
    async run({ caller, random, draw, expected }) {
      const leaving = new AbortController();
      const timer = setTimeout(() => leaving.abort(), random.below(150));
      const { first, frames } = pickWindow(random, 100);
      const options = { firstFrame: first, signal: leaving.signal };
      const outcome = judge(caller.speak(draw(), frames, options), first, expected, Code.Canceled);
      return outcome.finally(() => clearTimeout(timer));
    },
  },
  {
    name: "deadline",
    weight: 6,
    run: ({ caller, random, draw, expected }) => {
      const { first, frames } = pickWindow(random, 100);
      const options = { firstFrame: first, timeoutMs: 20 + random.below(200) };
      return judge(caller.speak(draw(), frames, options), first, expected, Code.DeadlineExceeded);
    },
  },
  {
    name: "read slowly",
    weight: 5,
    run: ({ caller, random, draw, expected }) => {
      const { first, frames } = pickWindow(random, 40);
      const options = { firstFrame: first, pauseMs: 30 };
      return judge(caller.speak(draw(), frames, options), first, expected);
    },
  },
  {
    name: "InferBatch",
    weight: 4,
    async run({ caller, random, draw }) {
      const batchSize = 1 + random.below(3);
      return judgeCall(async () => {
        const { outputs } = await caller.rpc.inferBatch({
          modelId: draw(),
          batchSize,
          visualFrames: new Uint8Array(batchSize * VISUAL_BYTES),
          audioFeatures: new Uint8Array(batchSize * AUDIO_BYTES),
        });
        return outputs.length === batchSize || `${outputs.length} outputs for ${batchSize} frames`;
      });
    },
  },
  {
    name: "load",
    weight: 3,
    run: ({ caller, random, draw }) =>
      judgeCall(async () => {
        const request = { modelId: draw(), forceReload: random.below(2) === 0 };
        const { model } = await caller.rpc.loadModel(request);
        return model?.modelId === request.modelId || "LoadModel answered for another model";
      }),
  },
  {
    name: "unload",
    weight: 2,
    run: ({ caller, draw }) =>
      judgeCall(async () => {
        await caller.rpc.unloadModel({ modelId: draw() });
        return true;
      }),
  },
  {
    name: "mistakes",
    weight: 4,
    async run({ caller, random, brokenId }) {
      const [id, frames, code] = random.pick([
        ["nobody", 5, Code.NotFound],
        ["Not An Id", 5, Code.InvalidArgument],
        [brokenId, 5, Code.Unavailable],
        [brokenId, 0, Code.InvalidArgument],
      ] as const);
      const { error } = await caller.speak(id, frames);
      if (error?.code === code) return "ok";
      if (error && MAY_HAPPEN.includes(error.code)) return { refused: Code[error.code] };
      return { wrong: `${id} with ${frames} frames: ${error ?? "no error"}` };
    },
  },
  {
    name: "look",
    weight: 2,
    run: ({ caller }) =>
      judgeCall(async () => {
        const { models } = await caller.rpc.listModels({});
        await caller.rpc.getModelStats({});
        const { devices } = await caller.rpc.health({});
        return (models.length > 0 && devices.length > 0) || "a list is empty";
      }),
  },
];

export function pickOperation(random: SeededRandom): Operation {
  const total = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
  let at = random.below(total);
  for (const operation of OPERATIONS) {
    at -= operation.weight;
    if (at < 0) return operation;
  }
  return OPERATIONS[0]!;
}

function pickWindow(random: SeededRandom, longest: number): { first: number; frames: number } {
  const frames = 1 + random.below(longest);
  return { frames, first: random.below(UTTERANCE_FRAMES - frames) };
}

/** Whatever came has to be right, even if not all came. */
async function judge(
  call: Promise<Spoken>,
  first: number,
  expected: readonly number[],
  wanted?: Code,
): Promise<Outcome> {
  const { checksums, error } = await call;
  const at = checksums.findIndex((checksum, i) => checksum !== expected[first + i]);
  if (at >= 0) return { wrong: `frame ${first + at} has other pixels than the whole utterance` };
  if (!error || error.code === wanted) return "ok";
  if (MAY_HAPPEN.includes(error.code)) return { refused: Code[error.code] };
  return { wrong: String(error) };
}

async function judgeCall(call: () => Promise<true | string>): Promise<Outcome> {
  try {
    const answer = await call();
    return answer === true ? "ok" : { wrong: answer };
  } catch (cause) {
    const error = ConnectError.from(cause);
    if (MAY_HAPPEN.includes(error.code)) return { refused: Code[error.code] };
    return { wrong: String(error) };
  }
}
