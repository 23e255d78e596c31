import { MacroblockCoder, type SliceRequest } from "./macroblock-coder.ts";
import { sliceHeader } from "./slice-header.ts";
import type { Slice, SliceMap } from "./slice-map.ts";

/** How a picture's slices of one part are coded. */
export interface PartRequest {
  /** `IDR`: I slices of an IDR picture. `P-intra`: P slices that look at no other picture. */
  readonly type: "IDR" | "P" | "P-intra";
  readonly qp: number;
  readonly effort: SliceRequest["effort"];
  readonly frameNum: number;
  readonly idrParity: number;
}

/** Whether slices are deblocked inside: measured to be better than not at all. */
const IS_DEBLOCKED = true;

/**
 * Codes one part of each picture of a sequence: all of its static slices, or
 * all that are live. Neither part ever looks at the other.
 */
export class PartCoder {
  readonly coder: MacroblockCoder;
  /** The part's slices in the picture. */
  readonly slices: readonly Slice[];
  readonly #firsts: readonly number[];

  /** @param work `decoder`: it only decodes, which takes less memory */
  constructor(map: SliceMap, part: "static" | "live", work: "coder" | "decoder" = "coder") {
    const isDecoder = work === "decoder";
    const { columns, rows, live } = map;
    this.slices = map.slices.filter((slice) => slice.isLive === (part === "live"));
    if (part === "static") {
      const openSides = { left: true, top: true, right: true, bottom: true };
      this.coder = new MacroblockCoder({ columns, rows, openSides, forbidden: live, isDecoder });
      this.#firsts = this.slices.map(({ first }) => first);
      return;
    }
    // Only D is kept, and samples beyond it only where the picture ends there too.
    const openSides = {
      left: live.x === 0,
      top: live.y === 0,
      right: live.x + live.width === columns,
      bottom: live.y + live.height === rows,
    };
    const { width, height } = live;
    this.coder = new MacroblockCoder({
      columns: width,
      rows: height,
      openSides,
      forbidden: null,
      isDecoder,
    });
    this.#firsts = this.slices.map(
      ({ first }) => (Math.floor(first / columns) - live.y) * width + (first % columns) - live.x,
    );
  }

  /**
   * Codes the slices, whose source is set, and reconstructs them.
   * @param take is given each slice's RBSP, a view that does not outlast the call
   */
  code(request: PartRequest, take: (rbsp: Uint8Array<ArrayBuffer>, slice: Slice) => void): void {
    const { type, qp, effort, frameNum, idrParity } = request;
    const isIdr = type === "IDR";
    for (const [n, slice] of this.slices.entries()) {
      const header = sliceHeader({
        firstMacroblock: slice.first,
        isIdr,
        frameNum,
        idrParity,
        qp,
        isDeblocked: IS_DEBLOCKED,
      });
      const rbsp = this.coder.codeSlice({
        first: this.#firsts[n]!,
        count: slice.count,
        type: isIdr ? "I" : type,
        qp,
        effort,
        header: header.bytes(),
        headerBits: header.length,
        isDeblocked: IS_DEBLOCKED,
      });
      take(rbsp, slice);
    }
    this.coder.finishPicture();
  }

  /** The same, as copies that last. */
  codeSlices(request: PartRequest): Uint8Array<ArrayBuffer>[] {
    const slices: Uint8Array<ArrayBuffer>[] = [];
    this.code(request, (rbsp) => slices.push(rbsp.slice()));
    return slices;
  }

  /**
   * Decodes the part's slices of a picture instead of coding them.
   * @returns whether all of them could be; the part shows nothing useful otherwise
   */
  decode(slices: readonly Uint8Array[], isIdr: boolean): boolean {
    if (!this.#read(slices, isIdr, false)) return false;
    this.coder.finishPicture();
    return true;
  }

  /**
   * Reads how the part's slices of a picture were coded, for `coder.hints`; its
   * samples stay as they are.
   * @returns whether all of them could be read
   */
  skim(slices: readonly Uint8Array[], isIdr: boolean): boolean {
    return this.#read(slices, isIdr, true);
  }

  #read(slices: readonly Uint8Array[], isIdr: boolean, isSkimmed: boolean): boolean {
    return this.slices.every(({ count }, n) => {
      const rbsp = slices[n];
      const first = this.#firsts[n]!;
      return rbsp !== undefined && this.coder.decodeSlice(rbsp, first, count, isIdr, isSkimmed);
    });
  }
}
