import {
  maxNalBytes,
  NAL_IDR_SLICE,
  NAL_PICTURE_PARAMETERS,
  NAL_SEQUENCE_PARAMETERS,
  NAL_SLICE,
  nalUnit,
  putNalUnit,
} from "./nal-unit.ts";
import { pictureParameterSet, type StreamFormat, sequenceParameterSet } from "./parameter-sets.ts";

/** The parameter sets of a stream as NAL units of the byte stream, sequence first. */
export function parameterSets(format: StreamFormat): readonly Uint8Array<ArrayBuffer>[] {
  return [
    nalUnit(NAL_SEQUENCE_PARAMETERS, sequenceParameterSet(format)),
    nalUnit(NAL_PICTURE_PARAMETERS, pictureParameterSet()),
  ];
}

/** Puts the NAL units of pictures together (ITU-T H.264, 7.4.1.2.3 and annex B). */
export class AccessUnitWriter {
  readonly #parameterSets: readonly Uint8Array<ArrayBuffer>[];
  #buffer = new Uint8Array(65_536);
  #end = 0;
  #starts: number[] = [];
  #nalHeader = NAL_SLICE;

  constructor(format: StreamFormat) {
    this.#parameterSets = parameterSets(format);
  }

  /** Begins a picture; one that is IDR is preceded by the parameter sets. */
  begin(isIdr: boolean): void {
    this.#end = 0;
    this.#starts = [];
    this.#nalHeader = isIdr ? NAL_IDR_SLICE : NAL_SLICE;
    if (!isIdr) return;
    for (const set of this.#parameterSets) {
      this.#room(set.length);
      this.#buffer.set(set, this.#end);
      this.#end += set.length;
    }
  }

  /** Appends a slice. */
  put(rbsp: Uint8Array): void {
    this.#room(maxNalBytes(rbsp.length));
    this.#end = putNalUnit(this.#buffer, this.#end, this.#nalHeader, rbsp);
  }

  /** @returns a NAL unit with its start code each; together they are one piece of memory of their own */
  finish(): readonly Uint8Array<ArrayBuffer>[] {
    const bytes = this.#buffer.slice(0, this.#end);
    return this.#starts.map((start, n) =>
      bytes.subarray(start, this.#starts[n + 1] ?? bytes.length),
    );
  }

  /** Notes the beginning of a NAL unit, and makes room for it. */
  #room(bytes: number): void {
    this.#starts.push(this.#end);
    const needed = this.#end + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * needed);
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }
}
