import { PreparedFrameError } from "../prepared-frame-error.ts";
import { PartCoder } from "./part-coder.ts";
import type { Group } from "./track.ts";

/** Reads the source of D of one group after the other. */
export class SourceReader {
  readonly decoder: PartCoder;
  /** What was decoded last; null for nothing that helps. */
  #last: { readonly group: Group; readonly index: number } | null = null;

  /** @param group any of those whose D is where this reader's is */
  constructor({ map }: Group) {
    this.decoder = new PartCoder(map, "live", "decoder");
  }

  /** The next source is read from one that needs no other. */
  forget(): void {
    this.#last = null;
  }

  /**
   * Decodes up to a frame: it alone if the one before was the last, otherwise
   * from the last source that needs no other.
   * @throws PreparedFrameError when the track is damaged
   */
  read(group: Group, index: number): void {
    let from = index;
    if (this.#last?.group !== group || this.#last.index !== index - 1) {
      while (from > 0 && !group.frames[from]!.isSourceKey) from--;
    }
    this.#last = null;
    for (; from <= index; from++) {
      const { source, isSourceKey } = group.frames[from]!;
      if (!this.decoder.decode(source, isSourceKey)) {
        throw new PreparedFrameError(`the source of its frame ${from} is damaged`);
      }
    }
    this.#last = { group, index };
  }
}
