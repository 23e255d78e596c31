import { crc32 } from "./crc32.ts";
import { ImageError } from "./image-error.ts";

export type ImageFormat = "png" | "jpeg";

export interface ImageHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
}

/** As the manifest of an avatar has it. */
const MAX_SIDE = 8192;
/** 8K UHD. Bounds what a small hostile file can make us allocate: 133 MB. */
const MAX_PIXELS = 7680 * 4320;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Length, type and CRC of a chunk. */
const PNG_CHUNK_OVERHEAD = 12;

/** Other formats that people put into frame folders, by their first bytes. */
const KNOWN_OTHERS: readonly (readonly [name: string, offset: number, mark: string])[] = [
  ["a GIF", 0, "GIF8"],
  ["a BMP", 0, "BM"],
  ["a WebP", 8, "WEBP"],
  ["a TIFF", 0, "II*\0"],
  ["a TIFF", 0, "MM\0*"],
  ["an AVIF or HEIC", 4, "ftyp"],
];

/**
 * Recognises a PNG or JPEG file by its first bytes, reads its size, and checks
 * what can be checked without decoding: a PNG is walked chunk by chunk, CRCs
 * included.
 * @throws ImageError
 */
export function readImageHeader(file: Uint8Array): ImageHeader {
  const header = readHeader(file);
  const { width, height } = header;
  if (width === 0 || height === 0) throw damaged("its size is 0");
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new ImageError(
      "image_too_large",
      `the picture is ${width}x${height}: up to ${MAX_SIDE} pixels a side and ${MAX_PIXELS} in all are taken; scale it down`,
    );
  }
  return header;
}

function readHeader(file: Uint8Array): ImageHeader {
  if (PNG_SIGNATURE.every((byte, i) => file[i] === byte)) return readPng(file);
  if (file[0] === 0xff && file[1] === 0xd8 && file[2] === 0xff) return readJpeg(file);
  const start = String.fromCharCode(...file.subarray(0, 16));
  const other = KNOWN_OTHERS.find(([, offset, mark]) => start.startsWith(mark, offset));
  const what = file.length === 0 ? "empty" : (other?.[0] ?? "not a picture that is known here");
  throw new ImageError("unsupported_image", `the file is ${what}: use PNG or JPEG`);
}

/** PNG specification, clause 5: chunks from IHDR to IEND. */
function readPng(file: Uint8Array): ImageHeader {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let width = 0;
  let height = 0;
  for (let at = PNG_SIGNATURE.length; ; ) {
    if (at + PNG_CHUNK_OVERHEAD > file.length) throw damaged("it is cut short");
    const length = view.getUint32(at);
    const end = at + PNG_CHUNK_OVERHEAD + length;
    if (end > file.length) throw damaged("it is cut short");
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (crc32(file, at + 4, end - 4) !== view.getUint32(end - 4)) {
      throw damaged(`its ${/^[A-Za-z]{4}$/.test(type) ? `${type} chunk` : "content"} has changed`);
    }
    if (at === PNG_SIGNATURE.length) {
      if (type !== "IHDR" || length !== 13) throw damaged("its header is missing");
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
    }
    if (type === "IEND") return { format: "png", width, height };
    at = end;
  }
}

/** ITU-T T.81, annex B: marker segments up to the frame header. */
function readJpeg(file: Uint8Array): ImageHeader {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 2; at + 9 <= file.length; ) {
    if (file[at] !== 0xff) break;
    const marker = file[at + 1]!;
    // Fill bytes before a marker.
    if (marker === 0xff) {
      at++;
      continue;
    }
    // Every SOF; C4, C8 and CC are tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { format: "jpeg", height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    // Pixels before any frame header.
    if (marker === 0xda || marker === 0xd9) break;
    at += 2 + view.getUint16(at + 2);
  }
  throw damaged("its header is missing or cut short");
}

export function damaged(why: string, cause?: unknown): ImageError {
  const options = cause === undefined ? undefined : { cause };
  return new ImageError("damaged_image", `the picture is damaged: ${why}; write it anew`, options);
}
