import type { Rectangle } from "../../../avatar/rectangle.ts";
import { type KernelExports, Kernels } from "../../../avatar/wasm/kernels.ts";
import { module } from "../gen/h264.js";
import { cavlcTableBytes } from "./cavlc-tables.ts";
import { FRAME_NUM_BITS, INITIAL_QP } from "./parameter-sets.ts";
import { type Picture, pictureOf, planesOf } from "./picture.ts";

/** The kernels of `assembly/h264.ts`. */
interface H264Exports extends KernelExports {
  cavlcTables(): number;
  coderBytes(columns: number, rows: number, hasSource: number): number;
  layOut(at: number, columns: number, rows: number, hasSource: number): void;
  setReach(openSides: number, x: number, y: number, endX: number, endY: number): void;
  sourceOf(plane: number): number;
  referenceOf(plane: number): number;
  strideOf(plane: number): number;
  codeSlice(layout: number): number;
  decodeSlice(
    at: number,
    bytes: number,
    first: number,
    count: number,
    isIdr: number,
    frameNumBits: number,
    initialQp: number,
    isSkimmed: number,
  ): number;
  finishPicture(): void;
  maxHintBytes(columns: number, rows: number): number;
  setHints(at: number): void;
  takeHints(out: number): number;
  placeRgb(layout: number): void;
}

/** Of `assembly/h264/hints.ts`: a mouth covers the macroblock. */
const COVERED = 0x80;

/** That may be read beyond the end of a slice. */
const INPUT_REST_BYTES = 8;

/** Beyond these sides of the coder's macroblocks the picture ends, and repeats its edge. */
export interface OpenSides {
  readonly left: boolean;
  readonly top: boolean;
  readonly right: boolean;
  readonly bottom: boolean;
}

export interface CoderOptions {
  /** Macroblocks in a row. */
  readonly columns: number;
  readonly rows: number;
  readonly openSides: OpenSides;
  /** In macroblocks: what no motion vector may look at; null for nothing. */
  readonly forbidden: Rectangle | null;
  /** It never codes, but decodes: it has no source. Default false. */
  readonly isDecoder?: boolean;
}

/** How a slice is coded. */
export interface SliceRequest {
  /** First macroblock, among those of the coder, and how many there are. */
  readonly first: number;
  readonly count: number;
  /** `I`: an I slice. `P-intra`: a P slice that looks at no other picture. */
  readonly type: "I" | "P" | "P-intra";
  readonly qp: number;
  readonly effort: "live" | "offline";
  /** The slice header. */
  readonly header: Uint8Array;
  readonly headerBits: number;
  readonly isDeblocked: boolean;
}

/** Room for a macroblock: the 3200 bits that it may have. */
const MACROBLOCK_BYTES = 400;
/** Who only decodes begins with room for so much. */
const USUAL_SLICE_BYTES = 32 * 1024;
/** For the header, the last macroblock before it proves to be too long, and word stores. */
const SLICE_REST_BYTES = 4096;

/**
 * Codes the macroblocks of a picture or of a part of it, slice by slice, and
 * reconstructs them as a decoder does. All its memory is taken at the beginning.
 */
export class MacroblockCoder {
  readonly columns: number;
  readonly rows: number;
  readonly #kernels = new Kernels<H264Exports>(module);
  readonly #header: number;
  readonly #layout: number;
  readonly #qpOffsets: number;
  readonly #hints: number;
  /** Of a slice, coded or to be decoded. */
  #out: number;
  #outBytes: number;
  readonly #maxOutBytes: number;
  #rgb = 0;
  #rgbBytes = 0;
  #usesQpOffsets = false;

  constructor({ columns, rows, openSides, forbidden, isDecoder = false }: CoderOptions) {
    this.columns = columns;
    this.rows = rows;
    const kernels = this.#kernels;
    const { exports } = kernels;
    kernels.begin();
    kernels.bytes(exports.cavlcTables(), 2912).set(cavlcTableBytes());
    const macroblocks = columns * rows;
    const hasSource = Number(!isDecoder);
    const bytes = exports.coderBytes(columns, rows, hasSource);
    exports.layOut(kernels.reserve(bytes), columns, rows, hasSource);
    this.#header = kernels.reserve(64);
    this.#layout = kernels.reserve(64);
    this.#qpOffsets = kernels.reserve(macroblocks);
    this.#hints = kernels.reserve(exports.maxHintBytes(columns, rows));
    this.#maxOutBytes = macroblocks * MACROBLOCK_BYTES + SLICE_REST_BYTES;
    this.#outBytes = isDecoder ? Math.min(this.#maxOutBytes, USUAL_SLICE_BYTES) : this.#maxOutBytes;
    this.#out = kernels.reserve(this.#outBytes);
    const { left, top, right, bottom } = openSides;
    const sides = Number(left) + 2 * Number(top) + 4 * Number(right) + 8 * Number(bottom);
    const bar = forbidden ?? { x: 0, y: 0, width: 0, height: 0 };
    exports.setReach(
      sides,
      bar.x * 16,
      bar.y * 16,
      (bar.x + bar.width) * 16,
      (bar.y + bar.height) * 16,
    );
  }

  /**
   * Sets the picture that is coded next.
   * @param part of `picture`, in luma samples, even; what lies beyond the picture repeats its edge
   */
  setSource(picture: Picture, part: { readonly x: number; readonly y: number }): void {
    for (const [plane, { data, width, height }] of planesOf(picture).entries()) {
      const shift = plane === 0 ? 0 : 1;
      const left = part.x >> shift;
      const top = part.y >> shift;
      const stride = (this.columns * 16) >> shift;
      const rows = (this.rows * 16) >> shift;
      const start = this.#kernels.exports.sourceOf(plane);
      const to = this.#kernels.bytes(start, stride * rows);
      const inside = Math.min(stride, width - left);
      for (let y = 0; y < rows; y++) {
        const from = Math.min(top + y, height - 1) * width + left;
        const at = y * stride;
        to.set(data.subarray(from, from + inside), at);
        if (inside < stride) to.fill(data[from + inside - 1]!, at + inside, at + stride);
      }
    }
  }

  /** Takes the picture that another coder of the same size has finished as the next source. */
  takeSource(other: MacroblockCoder): void {
    for (const plane of [0, 1, 2]) {
      const width = (this.columns * 16) >> (plane === 0 ? 0 : 1);
      const height = (this.rows * 16) >> (plane === 0 ? 0 : 1);
      const stride = other.#kernels.exports.strideOf(plane);
      const start = other.#kernels.exports.referenceOf(plane);
      const from = other.#kernels.bytes(start, stride * height);
      const to = this.#kernels.bytes(this.#kernels.exports.sourceOf(plane), width * height);
      for (let y = 0; y < height; y++) {
        to.set(from.subarray(y * stride, y * stride + width), y * width);
      }
    }
  }

  /**
   * Puts a picture in RGB over the source.
   * @param pixels 8-bit RGB [region.height, region.width, 3]
   * @param region relative to the coder's macroblocks, in samples, within them
   * @param softEdge samples over which the source shines through, at the sides that `softSides` names
   */
  placeRgb(pixels: Uint8Array, region: Rectangle, softEdge: number, softSides: OpenSides): void {
    const { exports } = this.#kernels;
    if (pixels.length > this.#rgbBytes) {
      // Larger than any before it: from now on there is room.
      this.#rgb = this.#kernels.reserve(pixels.length);
      this.#rgbBytes = pixels.length;
    }
    this.#kernels.bytes(this.#rgb, pixels.length).set(pixels);
    new Int32Array(exports.memory.buffer, this.#layout, 14).set([
      this.#rgb,
      region.width,
      region.height,
      region.x,
      region.y,
      exports.sourceOf(0),
      exports.sourceOf(1),
      exports.sourceOf(2),
      this.columns * 16,
      softEdge,
      Number(softSides.left),
      Number(softSides.top),
      Number(softSides.right),
      Number(softSides.bottom),
    ]);
    exports.placeRgb(this.#layout);
  }

  /**
   * What is added to a slice's quantiser, per macroblock; null for nothing.
   * @param offsets int8 [rows, columns]
   */
  setQpOffsets(offsets: Int8Array | null): void {
    this.#usesQpOffsets = offsets !== null;
    if (offsets) {
      const bytes = new Uint8Array(offsets.buffer, offsets.byteOffset, offsets.length);
      this.#kernels.bytes(this.#qpOffsets, offsets.length).set(bytes);
    }
  }

  /**
   * What is known of the macroblocks of the picture that is coded next, for
   * quick decisions; null for nothing.
   * @param hints as `hints` gives them
   * @param covered in macroblocks: where they say nothing, because something else is shown
   */
  setHints(hints: Uint8Array | null, covered: Rectangle | null): void {
    const { exports } = this.#kernels;
    if (!hints) {
      exports.setHints(0);
      return;
    }
    const bytes = this.#kernels.bytes(this.#hints, hints.length);
    bytes.set(hints);
    exports.setHints(this.#hints);
    if (!covered) return;
    for (let row = covered.y; row < covered.y + covered.height; row++) {
      const first = row * this.columns + covered.x;
      for (let mb = first; mb < first + covered.width; mb++) bytes[mb]! |= COVERED;
    }
  }

  /**
   * Codes a slice.
   * @returns its RBSP, without emulation prevention: a view that the next call takes away
   */
  codeSlice(request: SliceRequest): Uint8Array<ArrayBuffer> {
    const { exports } = this.#kernels;
    this.#kernels.bytes(this.#header, request.header.length).set(request.header);
    new Int32Array(exports.memory.buffer, this.#layout, 10).set([
      request.first,
      request.count,
      request.type === "I" ? 1 : request.type === "P" ? 0 : 2,
      request.qp,
      request.effort === "live" ? 0 : 1,
      this.#header,
      request.headerBits,
      this.#out,
      this.#usesQpOffsets ? this.#qpOffsets : 0,
      Number(request.isDeblocked),
    ]);
    const bytes = exports.codeSlice(this.#layout);
    return this.#kernels.bytes(this.#out, bytes);
  }

  /**
   * Decodes a slice that was coded with the same reach, in place of coding it.
   * @param isSkimmed whether `hints` are wanted alone: samples stay as they are
   * @returns whether it could be; what it would have reconstructed is undefined otherwise
   */
  decodeSlice(
    rbsp: Uint8Array,
    first: number,
    count: number,
    isIdr: boolean,
    isSkimmed: boolean,
  ): boolean {
    const needed = rbsp.length + INPUT_REST_BYTES;
    if (needed > this.#maxOutBytes) return false;
    if (needed > this.#outBytes) {
      this.#outBytes = Math.min(this.#maxOutBytes, 2 * needed);
      this.#out = this.#kernels.reserve(this.#outBytes);
    }
    this.#kernels.bytes(this.#out, rbsp.length).set(rbsp);
    return Boolean(
      this.#kernels.exports.decodeSlice(
        this.#out,
        rbsp.length,
        first,
        count,
        Number(isIdr),
        FRAME_NUM_BITS,
        INITIAL_QP,
        Number(isSkimmed),
      ),
    );
  }

  /** What was coded becomes the picture that the next one looks at. */
  finishPicture(): void {
    this.#kernels.exports.finishPicture();
  }

  /** What the picture that was coded last tells of its macroblocks, see `assembly/h264/hints.ts`. */
  hints(): Uint8Array<ArrayBuffer> {
    const bytes = this.#kernels.exports.takeHints(this.#hints);
    return this.#kernels.bytes(this.#hints, bytes).slice();
  }

  /** The picture that was finished last, in whole macroblocks. */
  reconstruction(): Picture {
    const { exports } = this.#kernels;
    return this.#read(
      (plane) => exports.referenceOf(plane),
      (plane) => exports.strideOf(plane),
    );
  }

  /** The source, in whole macroblocks. */
  source(): Picture {
    const width = this.columns * 16;
    const { exports } = this.#kernels;
    return this.#read(
      (plane) => exports.sourceOf(plane),
      (plane) => (plane === 0 ? width : width / 2),
    );
  }

  #read(startOf: (plane: number) => number, strideOf: (plane: number) => number): Picture {
    const width = this.columns * 16;
    const height = this.rows * 16;
    const picture = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
    for (const [plane, { data, width, height }] of planesOf(picture).entries()) {
      const stride = strideOf(plane);
      const from = this.#kernels.bytes(startOf(plane), stride * height);
      for (let y = 0; y < height; y++) {
        data.set(from.subarray(y * stride, y * stride + width), y * width);
      }
    }
    return picture;
  }
}
