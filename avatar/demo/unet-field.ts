import type { GraphBuilder, Value } from "../onnx/graph-builder.ts";
import * as op from "../onnx/operators.ts";

/** What a field may be combined with. */
export type Operand = Field | number;

/**
 * A tensor with arithmetic: a value per frame `[n,1,1,1]`, a picture
 * `[n,1,h,w]` or one axis of it; shapes broadcast. Each method adds a node.
 */
export class Field {
  readonly graph: GraphBuilder;
  readonly value: Value;

  constructor(graph: GraphBuilder, value: Value) {
    this.graph = graph;
    this.value = value;
  }

  add(other: Operand): Field {
    return this.#with(op.add(this.graph, this.value, unwrap(other)));
  }

  sub(other: Operand): Field {
    return this.#with(op.sub(this.graph, this.value, unwrap(other)));
  }

  mul(other: Operand): Field {
    return this.#with(op.mul(this.graph, this.value, unwrap(other)));
  }

  div(other: Operand): Field {
    return this.#with(op.div(this.graph, this.value, unwrap(other)));
  }

  /** `number - this` */
  from(number: number): Field {
    return this.#with(op.sub(this.graph, number, this.value));
  }

  square(): Field {
    return this.mul(this);
  }

  sqrt(): Field {
    return this.#with(this.graph.node("Sqrt", [this.value]));
  }

  sin(): Field {
    return this.#with(this.graph.node("Sin", [this.value]));
  }

  cos(): Field {
    return this.#with(this.graph.node("Cos", [this.value]));
  }

  /** exp(-this): of a squared distance, a soft spot. */
  decay(): Field {
    return this.#with(this.graph.node("Exp", [this.graph.node("Neg", [this.value])]));
  }

  atLeast(low: Operand): Field {
    return this.#with(op.max(this.graph, this.value, unwrap(low)));
  }

  clip(low = 0, high = 1): Field {
    return this.#with(op.clip(this.graph, this.value, low, high));
  }

  /** 0 below `low`, 1 above `high`, a straight ramp between. */
  ramp(low: number, high: number): Field {
    const scale = 1 / (high - low);
    return this.mul(scale)
      .sub(low * scale)
      .clip();
  }

  /** As `ramp`, with soft ends. */
  smoothRamp(low: number, high: number): Field {
    const t = this.ramp(low, high);
    return t.square().mul(t.mul(-2).add(3));
  }

  /** `this` where `share` is 0, `other` where it is 1. */
  mix(other: Field, share: Field): Field {
    return this.add(other.sub(this).mul(share));
  }

  /** Rows and columns `[top, bottom)`, `[left, right)`. */
  block({ left, top, right, bottom }: Block): Field {
    const { graph } = this;
    const value = graph.node("Slice", [
      this.value,
      graph.int64([top, left]),
      graph.int64([bottom, right]),
      graph.int64([2, 3]),
    ]);
    return this.#with(value);
  }

  /** Sum over the picture, one value per frame. */
  sum(): Field {
    return this.#with(op.reduceSum(this.graph, this.value, [2, 3]));
  }

  #with(value: Value): Field {
    return new Field(this.graph, value);
  }
}

/** A part of a picture, in its pixels. */
export interface Block {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The columns `[left, right)` as a row of numbers, float32 [1,1,1,w], each through `map`. */
export function columns(graph: GraphBuilder, block: Block, map = (x: number) => x): Field {
  const data = Array.from({ length: block.right - block.left }, (_, i) => map(block.left + i));
  return new Field(graph, graph.float32(data, [1, 1, 1, data.length], "columns"));
}

/** The rows `[top, bottom)`, float32 [1,1,h,1], each through `map`. */
export function rows(graph: GraphBuilder, block: Block, map = (y: number) => y): Field {
  const data = Array.from({ length: block.bottom - block.top }, (_, i) => map(block.top + i));
  return new Field(graph, graph.float32(data, [1, 1, data.length, 1], "rows"));
}

/** A colour 0..1 for all pixels, float32 [1,3,1,1], BGR, from its CSS notation. */
export function colour(graph: GraphBuilder, css: string): Field {
  const byte = (at: number): number => Number.parseInt(css.slice(at, at + 2), 16) / 255;
  return new Field(graph, graph.float32([byte(5), byte(3), byte(1)], [1, 3, 1, 1], "colour"));
}

/** `picture` (`width` x `height`) with `patch` in the place of `block`. */
export function paste(
  picture: Field,
  size: readonly [number, number],
  patch: Field,
  block: Block,
): Field {
  const { graph } = picture;
  const [width, height] = size;
  const { left, top, right, bottom } = block;
  const part = (l: number, t: number, r: number, b: number): Value =>
    picture.block({ left: l, top: t, right: r, bottom: b }).value;
  const middle = op.concat(
    graph,
    [part(0, top, left, bottom), patch.value, part(right, top, width, bottom)],
    3,
  );
  const value = op.concat(
    graph,
    [part(0, 0, width, top), middle, part(0, bottom, width, height)],
    2,
  );
  return new Field(graph, value);
}

function unwrap(operand: Operand): Value | number {
  return typeof operand === "number" ? operand : operand.value;
}
