import type { GraphBuilder, Value } from "../onnx/graph-builder.ts";
import { type Block, columns, Field, rows } from "./unet-field.ts";

/** Where the lips are looked for in the 320x320 crop: no cheek's blush, no chin. */
const SEARCH: Block = { left: 84, top: 74, right: 236, bottom: 148 };
/** Red minus green, 0..1: skin and blush stay below, lips are above. */
const LIP_REDNESS = [0.33, 0.43] as const;
/**
 * From the centroid of the lips' mask to the mouth's centre, in crop pixels
 * along the mouth's own axes, and the turn that the uneven light feigns.
 */
const CENTRE_OFFSET = [-2.16, -5.79] as const;
const TURN_OFFSET = 0.0245;

/** The mouth's place in each crop: values `[n,1,1,1]`. */
export interface MouthPlace {
  /** Crop pixels; whole numbers are pixel centres. */
  readonly x: Field;
  readonly y: Field;
  readonly sin: Field;
  readonly cos: Field;
}

/**
 * Finds the lips by their colour: centroid and second moments of a soft mask.
 * @param reference float32 [n,3,320,320] BGR 0..1
 */
export function locateMouth(graph: GraphBuilder, reference: Value): MouthPlace {
  const channel = (index: number): Field => {
    const value = graph.node("Slice", [
      reference,
      graph.int64([index, SEARCH.top, SEARCH.left]),
      graph.int64([index + 1, SEARCH.bottom, SEARCH.right]),
      graph.int64([1, 2, 3]),
    ]);
    return new Field(graph, value);
  };
  const mask = channel(2)
    .sub(channel(1))
    .ramp(...LIP_REDNESS);
  const [x, y] = [columns(graph, SEARCH), rows(graph, SEARCH)];
  const mass = mask.sum().atLeast(1);
  const meanX = mask.mul(x).sum().div(mass);
  const meanY = mask.mul(y).sum().div(mass);
  const [dx, dy] = [x.sub(meanX), y.sub(meanY)];
  const weighted = mask.mul(dy);
  const xx = mask.mul(dx.square()).sum();
  const yy = weighted.mul(dy).sum();
  const xy = weighted.mul(dx).sum();
  // Half the arc tangent of 2 xy / (xx - yy), which at a few degrees is its argument.
  const turn = xy.div(xx.sub(yy).atLeast(1)).sub(TURN_OFFSET).clip(-0.15, 0.15);
  const [sin, cos] = [turn.sin(), turn.cos()];
  const [ox, oy] = CENTRE_OFFSET;
  return {
    x: meanX.add(cos.mul(ox)).sub(sin.mul(oy)),
    y: meanY.add(sin.mul(ox)).add(cos.mul(oy)),
    sin,
    cos,
  };
}
