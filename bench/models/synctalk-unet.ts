import { BATCH, GraphBuilder, type Value } from "../../avatar/onnx/graph-builder.ts";
import { add, concat, conv, relu, resize, sigmoid } from "../../avatar/onnx/operators.ts";
import { SeededWeights } from "./seeded-weights.ts";

/** Channels per level, from the picture's full size downwards. */
export type UnetChannels = readonly [number, number, number, number, number];

/** As in SyncTalk_2D's `unet_328.py`. */
const FULL_CHANNELS: UnetChannels = [32, 64, 128, 256, 512];
/** Every block widens to a multiple of its input before the depthwise convolution. */
const EXPANSION = 2;
/** Residual branches are added at half strength, so that a chain of them does not grow. */
const RESIDUAL_GAIN = 0.25;
/**
 * What a ReLU makes of centred noise has this share of its mean square in its
 * variance, and weights that sum to zero see nothing else.
 */
const RECTIFIED_VARIANCE = 1 - 1 / Math.PI;
/** Pictures vary little around their grey. */
const VISUAL_GAIN = 12;
/** Makes the speech, which enters at the deepest level, show in the picture. */
const AUDIO_GAIN = 12;

/** How `buildSynctalkUnet` makes its model. */
export interface SynctalkUnetOptions {
  /** Any integer; equal seeds give equal files. */
  readonly seed: number;
  /** Default: the full size. Others give the same graph, narrower or wider. */
  readonly channels?: UnetChannels;
}

/**
 * The U-Net of SyncTalk_2D at 328 pixels in its full size, 12.2 million
 * parameters, with random weights: it draws noise, at the cost of the real one.
 * Batch norms are folded into the convolutions, as an export does.
 * Inputs `input` float32 [n,6,320,320] and `audio` float32 [n,32,16,16];
 * output `output` float32 [n,3,320,320], 0..1.
 * @returns an ONNX file
 */
export function buildSynctalkUnet({
  seed,
  channels = FULL_CHANNELS,
}: SynctalkUnetOptions): Uint8Array<ArrayBuffer> {
  const [c0, c1, c2, c3, c4] = channels;
  const net = new Blocks(new GraphBuilder("synctalk-unet-328"), new SeededWeights(seed));
  const visual = net.graph.input("input", [BATCH, 6, 320, 320]);
  const audio = net.graph.input("audio", [BATCH, 32, 16, 16]);

  const level1 = net.inverted(visual, 6, c0, 1, VISUAL_GAIN);
  const level2 = net.double(level1, c0, c0, 2);
  const level3 = net.double(level2, c0, c1, 2);
  const level4 = net.double(level3, c1, c2, 2);
  const level5 = net.double(level4, c2, c3, 2);
  const bottom = net.double(level5, c3, c4, 2);

  const joined = concat(net.graph, [bottom, audioBranch(net, audio, channels)]);
  const fused = net.double(net.double(joined, 2 * c4, c4, 1), c4, c3, 1);

  const up1 = net.up(fused, level5, 2 * c3, c3 / 2);
  const up2 = net.up(up1, level4, 2 * c2, c2 / 2);
  const up3 = net.up(up2, level3, 2 * c1, c1 / 2);
  const up4 = net.up(up3, level2, 2 * c0, c0);
  const up5 = net.up(up4, level1, 2 * c0, c0 / 2);
  const logits = net.plain(up5, c0 / 2, 3, 1, 1);
  net.graph.output("output", sigmoid(net.graph, logits), [BATCH, 3, 320, 320]);
  return net.graph.build();
}

/** [n,32,16,16] to [n,512,10,10], the size of the deepest level of the picture. */
function audioBranch(net: Blocks, audio: Value, channels: UnetChannels): Value {
  const [, c1, c2, c3, c4] = channels;
  const { graph } = net;
  let x = net.inverted(audio, 32, c1, 1, AUDIO_GAIN);
  x = net.inverted(x, c1, c2, 1);
  x = relu(graph, net.plain(x, c2, c3, 3, 2, { padding: 1 }));
  x = net.residual(x, c3);
  x = relu(graph, net.plain(x, c3, c4, 3, 2, { stride: 2, padding: 3 }));
  return net.residual(net.residual(x, c4), c4);
}

interface Placing {
  readonly stride?: number;
  readonly padding?: number;
}

/** The building blocks of `unet_328.py`, each with weights of its own. */
class Blocks {
  readonly graph: GraphBuilder;
  readonly #weights: SeededWeights;

  constructor(graph: GraphBuilder, weights: SeededWeights) {
    this.graph = graph;
    this.#weights = weights;
  }

  plain(x: Value, from: number, to: number, kernel: number, gain: number, placing: Placing = {}) {
    return conv(this.graph, x, {
      weights: this.#weights.conv(to, from, kernel, gain),
      shape: [to, from, kernel, kernel],
      bias: this.#weights.bias(to),
      ...placing,
    });
  }

  /** InvertedResidual without its shortcut: widen, depthwise 3x3, narrow. */
  inverted(x: Value, from: number, to: number, stride: number, gain = 1) {
    const wide = from * EXPANSION;
    const widened = relu(this.graph, this.plain(x, from, wide, 1, 2));
    const filtered = conv(this.graph, widened, {
      weights: this.#weights.conv(wide, 1, 3, 2),
      shape: [wide, 1, 3, 3],
      bias: this.#weights.bias(wide),
      groups: wide,
      padding: 1,
      stride,
    });
    return this.plain(relu(this.graph, filtered), wide, to, 1, gain / RECTIFIED_VARIANCE);
  }

  /** InvertedResidual with its shortcut. */
  residual(x: Value, channels: number): Value {
    return add(this.graph, x, this.inverted(x, channels, channels, 1, RESIDUAL_GAIN));
  }

  /** DoubleConvDW. */
  double(x: Value, from: number, to: number, stride: number): Value {
    return this.residual(this.inverted(x, from, to, stride), to);
  }

  /**
   * Up: twice the size, beside what the same level saw on the way down. The
   * original then pads to equal sizes, which at 320 pixels adds nothing.
   */
  up(x: Value, skip: Value, from: number, to: number): Value {
    const scaled = resize(this.graph, x, 2, { mode: "linear", coordinates: "align_corners" });
    return this.double(concat(this.graph, [scaled, skip]), from, to, 1);
  }
}
