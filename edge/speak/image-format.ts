/** How pictures are coded that stand alone. */
export type ImageFormat = "png" | "jpeg";

/** How the frames of an utterance are coded. */
export type FrameFormat = ImageFormat | "h264";

export const CONTENT_TYPES: Record<FrameFormat, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
  // RFC 6184, with the byte stream of annex B instead of packets.
  h264: "video/h264",
};
