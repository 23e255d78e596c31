import { closeSync, openSync, readSync } from "node:fs";
import { readPackIndex } from "../../avatar/pack.ts";
import { REFERENCE_BYTES } from "../../avatar/reference.ts";
import { CoreError } from "../core-error.ts";

/**
 * The reference crops of one avatar. They stay in the file: a crop is one read
 * of 322,752 bytes from the page cache, and 1,200 avatars of 500 frames would
 * fill 190 GB of memory.
 */
export class ReferenceCrops {
  readonly count: number;
  readonly #path: string;
  readonly #file: number;
  readonly #offsets: Float64Array;

  private constructor(path: string, file: number, offsets: Float64Array) {
    this.#path = path;
    this.#file = file;
    this.#offsets = offsets;
    this.count = offsets.length - 1;
  }

  /** @throws CoreError `failed_precondition` or AvatarError `invalid_avatar` */
  static async open(path: string): Promise<ReferenceCrops> {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (cause) {
      throw new CoreError("failed_precondition", `cannot open ${path}: publish the avatar again`, {
        cause,
      });
    }
    try {
      const read = async (start: number, end: number) => readAt(file, start, end - start);
      const { offsets } = await readPackIndex(read, path);
      const crops = new ReferenceCrops(path, file, offsets);
      crops.#checkEntries();
      return crops;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  /** Reads crop `n` into `into`, 8-bit RGB [328,328,3]. */
  read(n: number, into: Uint8Array): void {
    const bytes = readSync(this.#file, into, 0, REFERENCE_BYTES, this.#offsets[n]!);
    if (bytes === REFERENCE_BYTES) return;
    throw new CoreError(
      "failed_precondition",
      `${this.#path} ends within crop ${n}: publish the avatar again`,
    );
  }

  close(): void {
    closeSync(this.#file);
  }

  #checkEntries(): void {
    for (let n = 0; n < this.count; n++) {
      if (this.#offsets[n + 1]! - this.#offsets[n]! === REFERENCE_BYTES) continue;
      throw new CoreError(
        "failed_precondition",
        `${this.#path}: crop ${n} does not have ${REFERENCE_BYTES} bytes: publish the avatar again`,
      );
    }
  }
}

function readAt(file: number, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, start));
}
