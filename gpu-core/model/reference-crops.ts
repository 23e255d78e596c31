import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { crc32 } from "../../avatar/image/crc32.ts";
import type { StoredPack } from "../../avatar/manifest.ts";
import { damagedPack, decodePackIndex, type PackIndex } from "../../avatar/pack.ts";
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
  readonly #index: PackIndex;

  private constructor(path: string, file: number, index: PackIndex) {
    this.#path = path;
    this.#file = file;
    this.#index = index;
    this.count = index.count;
  }

  /**
   * @param pack what the manifest says of it
   * @throws CoreError `failed_precondition`
   */
  static async open(path: string, pack: StoredPack): Promise<ReferenceCrops> {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch (cause) {
      throw new CoreError("failed_precondition", `cannot open ${path}: publish the avatar again`, {
        cause,
      });
    }
    try {
      const crops = new ReferenceCrops(path, file, readIndex(file, path, pack));
      crops.#checkEntries();
      return crops;
    } catch (error) {
      closeSync(file);
      if (!(error instanceof AvatarError)) throw error;
      throw new CoreError("failed_precondition", error.message, { cause: error });
    }
  }

  /**
   * Reads crop `n` into `into`, 8-bit RGB [328,328,3].
   * @throws CoreError `failed_precondition` when it is damaged
   */
  read(n: number, into: Uint8Array): void {
    const bytes = readSync(this.#file, into, 0, REFERENCE_BYTES, this.#index.offsets[n]!);
    if (bytes !== REFERENCE_BYTES) throw this.#damaged(`ends within crop ${n}`);
    // 0.2 ms; a crop that has changed would be a mouth that is wrong.
    if (crc32(into, 0, REFERENCE_BYTES) !== this.#index.checksums[n]) {
      throw this.#damaged(`has changed in crop ${n}`);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #checkEntries(): void {
    const n = this.#index.lengths.findIndex((length) => length !== REFERENCE_BYTES);
    if (n >= 0) throw this.#damaged(`does not have ${REFERENCE_BYTES} bytes in crop ${n}`);
  }

  #damaged(what: string): CoreError {
    return new CoreError("failed_precondition", `${this.#path} ${what}: publish the avatar again`);
  }
}

function readIndex(file: number, path: string, pack: StoredPack): PackIndex {
  const { size } = fstatSync(file);
  const index = readAt(file, 0, Math.min(size, pack.indexBytes));
  const hash = createHash("sha256").update(index).digest("hex");
  if (size !== pack.bytes || hash !== pack.indexSha256) {
    throw damagedPack(path, "it is not the one that was published");
  }
  return decodePackIndex(index, size, path);
}

function readAt(file: number, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, start));
}
