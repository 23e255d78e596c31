/** How frames are coded. */
export type ImageFormat = "png" | "jpeg";

export const CONTENT_TYPES: Record<ImageFormat, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
};
