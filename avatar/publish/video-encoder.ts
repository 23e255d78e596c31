/** Quantisers of the pictures of a rendition, 10 to 45. */
export interface Rendition {
  readonly intraQp: number;
  readonly interQp: number;
}

/** How the video track of a version is made. */
export interface VideoRequest {
  /** See edge/compositor/h264/slice-map.ts. */
  readonly mode: "band" | "box";
  /** Longest group, in frames. */
  readonly groupFrames: number;
  /** The finest first. */
  readonly renditions: readonly Rendition[];
}

/** Codes the loop of one avatar, group by group. The same frames give the same bytes everywhere. */
export interface VideoEncoder {
  /** Changes when the same frames would give other bytes. */
  readonly version: string;
  /** Groups that can be coded at the same time. */
  readonly parallel: number;
  /** Positions of the loop, the last one of a group included no more. */
  readonly groups: readonly { readonly start: number; readonly end: number }[];
  /**
   * @param onProgress told how many frames of the group are done
   * @returns an entry of the pack
   * @throws AvatarError `invalid_avatar` when a frame cannot be read
   */
  encode(
    group: number,
    rendition: Rendition,
    onProgress: (frames: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /** Of the second with the most bits, with room for mouths. */
  peakKilobits(group: number, entry: Uint8Array<ArrayBuffer>): number;
}
