import type { UploadJournal } from "../object-store.ts";

/**
 * What a publish has done so far, kept where a killed process leaves it. What
 * is damaged or was made from another frame counts as not done.
 */
export interface PublishWork {
  /**
   * An entry that was prepared before; null when there is none.
   * @param frameSha256 of the frame's file, in hexadecimal
   */
  readEntry(
    kind: string,
    index: number,
    frameSha256: string,
  ): Promise<Uint8Array<ArrayBuffer> | null>;
  writeEntry(
    kind: string,
    index: number,
    frameSha256: string,
    entry: Uint8Array<ArrayBuffer>,
  ): Promise<void>;
  /** The state of an upload. @param name of the target, the object and its content */
  journal(name: string): UploadJournal;
}
