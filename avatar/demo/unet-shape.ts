import type { GraphBuilder, Value } from "../onnx/graph-builder.ts";
import * as op from "../onnx/operators.ts";
import { Field } from "./unet-field.ts";
import { CENTRE_FEATURE_ROW, VISEME, VISEME_COUNT, type VisemeName } from "./viseme.ts";

const ROWS = 16;
const FEATURES = 512;
/** Deviation in rows of 40 ms of the Gaussian that keeps neighbouring frames alike. */
const SMOOTHING_ROWS = 0.7;
/** An encoder's zero is never quite zero; the mouth must not tremble in silence. */
const DEAD_ZONE = 0.05;

/** The mouth of a frame: values `[n,1,1,1]`. Lengths in pixels of the background frame. */
export interface MouthShape {
  /** How far the upper lip's edge rises and the lower lip's edge sinks in the middle. */
  readonly rise: Field;
  readonly drop: Field;
  /** Horizontal squeeze: source offset per offset, 0 is neutral, more is narrower. */
  readonly squeeze: Field;
  /** Lips: positive thinner, negative fuller. */
  readonly press: Field;
  /** Share of the lips' width that opens. */
  readonly gapWidth: Field;
  /** 0 a lens with sharp corners .. 1 an ellipse */
  readonly roundness: Field;
  /** How far the smile's corners sink. */
  readonly settle: Field;
  /** 0..1 */
  readonly open: Field;
  readonly round: Field;
  readonly teeth: Field;
}

/**
 * The shape that the feature rows around a frame ask for.
 * @param audio float32 [n,32,16,16]: 16 rows of 512
 */
export function mouthShape(graph: GraphBuilder, audio: Value): MouthShape {
  const viseme = visemes(graph, audio);
  const [open, spread, round, teeth, pressed] = [
    viseme("open"),
    viseme("spread"),
    viseme("round"),
    viseme("teeth"),
    viseme("pressed"),
  ];
  const parted = pressed.mul(0.92).from(1);
  const narrow = round.mul(0.62).add(open.mul(0.07)).sub(spread.mul(0.12));
  return {
    rise: open.mul(4.2).add(round.mul(2.2)).add(teeth.mul(3.6)).mul(parted),
    drop: open.mul(spread.mul(-8).add(31)).add(round.mul(5.5)).add(teeth.mul(6)).mul(parted),
    squeeze: narrow.mul(parted).sub(pressed.mul(0.05)),
    press: pressed.mul(0.95).sub(round.mul(0.24)),
    gapWidth: round.mul(-0.16).add(0.97),
    roundness: round.mul(0.6).add(open.mul(0.75)).clip(0, 0.95),
    settle: round.mul(11).add(open.mul(3.2)).mul(parted),
    open,
    round,
    teeth,
  };
}

/** The visemes of the frame's own time, each smoothed, 0..1. */
function visemes(graph: GraphBuilder, audio: Value): (name: VisemeName) => Field {
  const bell = Array.from({ length: ROWS }, (_, row) =>
    Math.exp(-0.5 * ((row - CENTRE_FEATURE_ROW) / SMOOTHING_ROWS) ** 2),
  );
  const total = bell.reduce((sum, weight) => sum + weight, 0);
  const weights = graph.float32(
    bell.map((weight) => weight / total),
    [1, ROWS],
    "bell",
  );
  const table = op.reshape(graph, audio, [0, ROWS, FEATURES]);
  const smoothed = op.matMul(graph, weights, op.slice(graph, table, 2, 0, VISEME_COUNT));
  return (name) => {
    const one = op.slice(graph, smoothed, 2, VISEME[name], VISEME[name] + 1);
    return new Field(graph, op.reshape(graph, one, [0, 1, 1, 1])).ramp(DEAD_ZONE, 1);
  };
}
