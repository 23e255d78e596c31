import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../../proto/gen/onnx/onnx_pb.js";

/** What every runtime of the last years reads; newer operators are not needed here. */
const OPSET_VERSION = 17n;
const IR_VERSION = 8n;

/** The batch dimension of all our graphs: one name, so that inputs and outputs agree. */
export const BATCH = "n";

/** A tensor inside a graph: an input, a weight or what a node made. */
export interface Value {
  readonly name: string;
}

/** A size, or the name of a dimension that only a run decides. */
export type Dimension = number | string;

/** Element types that the builder writes. */
export type ElementType = "float32" | "uint8" | "int32" | "int64" | "bool";

/** Plain numbers are integers, as most attributes of ONNX are; floats say so. */
export type AttributeValue =
  | number
  | readonly number[]
  | string
  | { readonly float: number }
  | { readonly floats: readonly number[] };

/** Attributes of a node by name. Undefined ones are left to ONNX's default. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

const ELEMENT_TYPES: Record<ElementType, TensorProto_DataType> = {
  float32: TensorProto_DataType.FLOAT,
  uint8: TensorProto_DataType.UINT8,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
  bool: TensorProto_DataType.BOOL,
};

/**
 * Writes an ONNX model (opset 17), node by node in the order of the calls,
 * which therefore is a topological one. Names are made unique. Operators with
 * a function of their own are in `operators.ts`; `node` makes any other.
 */
export class GraphBuilder {
  readonly #name: string;
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** @param name of the graph; shown by viewers. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Declares an input, e.g. `input("audio", [BATCH, 32, 16, 16])`. */
  input(name: string, shape: readonly Dimension[], type: ElementType = "float32"): Value {
    this.#claim(name);
    this.#inputs.push(valueInfo(name, shape, type));
    return { name };
  }

  /**
   * A float32 weight.
   * @param shape `[]` for a scalar
   * @throws RangeError when `data` does not fill the shape
   */
  float32(data: Float32Array | readonly number[], shape: readonly number[], hint = "w"): Value {
    const raw = littleEndian(data.length, 4, (view, i) => view.setFloat32(4 * i, data[i]!, true));
    return this.#initializer(hint, "float32", shape, data.length, raw);
  }

  /** A float32 scalar. */
  scalar(value: number, hint = "scalar"): Value {
    return this.float32([value], [], hint);
  }

  /** An int64 vector, as shapes, axes and indices are. */
  int64(values: readonly number[], hint = "ints"): Value {
    const raw = littleEndian(values.length, 8, (view, i) =>
      view.setBigInt64(8 * i, BigInt(values[i]!), true),
    );
    return this.#initializer(hint, "int64", [values.length], values.length, raw);
  }

  /**
   * A node with one output.
   * @param inputs null leaves an optional one out
   */
  node(operator: string, inputs: readonly (Value | null)[], attributes: Attributes = {}): Value {
    return this.nodes(operator, inputs, 1, attributes)[0]!;
  }

  /** A node with `count` outputs, e.g. Split. */
  nodes(
    operator: string,
    inputs: readonly (Value | null)[],
    count: number,
    attributes: Attributes = {},
  ): Value[] {
    const name = this.#unique(operator.toLowerCase());
    const output = count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}_${i}`);
    this.#nodes.push(
      create(NodeProtoSchema, {
        name,
        opType: operator,
        input: inputs.map((value) => value?.name ?? ""),
        output,
        attribute: attributeProtos(attributes),
      }),
    );
    return output.map((each) => ({ name: each }));
  }

  /** Declares `value` an output of the model, under the name that callers see. */
  output(
    name: string,
    value: Value,
    shape: readonly Dimension[],
    type: ElementType = "float32",
  ): void {
    this.#claim(name);
    this.#nodes.push(
      create(NodeProtoSchema, { name, opType: "Identity", input: [value.name], output: [name] }),
    );
    this.#outputs.push(valueInfo(name, shape, type));
  }

  /** The ONNX file. */
  build(): Uint8Array<ArrayBuffer> {
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "mouthpiece",
      opsetImport: [{ domain: "", version: OPSET_VERSION }],
      graph: create(GraphProtoSchema, {
        name: this.#name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: this.#inputs,
        output: this.#outputs,
      }),
    });
    return toBinary(ModelProtoSchema, model);
  }

  #initializer(
    hint: string,
    type: ElementType,
    shape: readonly number[],
    length: number,
    rawData: Uint8Array,
  ): Value {
    const size = shape.reduce((product, each) => product * each, 1);
    if (size !== length) {
      throw new RangeError(`${hint}: ${length} values do not fill a [${shape.join(",")}] tensor`);
    }
    const name = this.#unique(hint);
    this.#initializers.push(
      create(TensorProtoSchema, {
        name,
        dims: shape.map(BigInt),
        dataType: ELEMENT_TYPES[type],
        rawData,
      }),
    );
    return { name };
  }

  #claim(name: string): void {
    if (this.#taken.has(name)) throw new RangeError(`the graph already has a tensor "${name}"`);
    this.#taken.add(name);
  }

  #unique(hint: string): string {
    let count = this.#counts.get(hint) ?? 0;
    while (this.#taken.has(`${hint}_${count}`)) count++;
    this.#counts.set(hint, count + 1);
    const name = `${hint}_${count}`;
    this.#taken.add(name);
    return name;
  }
}

function valueInfo(name: string, shape: readonly Dimension[], type: ElementType): ValueInfoProto {
  const dim = shape.map((size) => ({
    value:
      typeof size === "number"
        ? { case: "dimValue" as const, value: BigInt(size) }
        : { case: "dimParam" as const, value: size },
  }));
  const tensor = { elemType: ELEMENT_TYPES[type], shape: { dim } };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: tensor } },
  });
}

function attributeProtos(attributes: Attributes): AttributeProto[] {
  return Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [attributeProto(name, value)],
  );
}

function attributeProto(name: string, value: AttributeValue): AttributeProto {
  const { INT, INTS, FLOAT, FLOATS, STRING } = AttributeProto_AttributeType;
  if (typeof value === "number") {
    return create(AttributeProtoSchema, { name, type: INT, i: BigInt(value) });
  }
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: STRING, s: new TextEncoder().encode(value) });
  }
  if ("float" in value) {
    return create(AttributeProtoSchema, { name, type: FLOAT, f: value.float });
  }
  if ("floats" in value) {
    return create(AttributeProtoSchema, { name, type: FLOATS, floats: [...value.floats] });
  }
  return create(AttributeProtoSchema, { name, type: INTS, ints: value.map(BigInt) });
}

function littleEndian(
  length: number,
  bytesEach: number,
  write: (view: DataView, i: number) => void,
): Uint8Array {
  const raw = new Uint8Array(length * bytesEach);
  const view = new DataView(raw.buffer);
  for (let i = 0; i < length; i++) write(view, i);
  return raw;
}
