const SEQUENCE_PARAMETER_SET = 7;

/**
 * The codec string (RFC 6381) of an access unit that begins with a sequence
 * parameter set: its profile, constraints and level stand behind the NAL unit's
 * header (ITU-T H.264, 7.3.2.1.1). Null when there is none.
 * @param data a byte stream, annex B
 */
export function h264Codec(data: Uint8Array): string | null {
  for (let at = 0; at + 6 < data.length; at++) {
    const isStart = data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1;
    if (!isStart || (data[at + 3]! & 31) !== SEQUENCE_PARAMETER_SET) continue;
    const bytes = data.subarray(at + 4, at + 7);
    return `avc1.${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
  return null;
}

/**
 * Can this browser decode what an edge sends of pictures of this size? False on
 * pages that are neither https nor localhost: WebCodecs are not there.
 */
export async function canDecodeH264(width: number, height: number): Promise<boolean> {
  if (typeof VideoDecoder === "undefined" || typeof EncodedVideoChunk === "undefined") return false;
  const level = width * height <= LEVEL_4_SAMPLES ? "28" : "33";
  try {
    const { supported } = await VideoDecoder.isConfigSupported({
      codec: `avc1.42c0${level}`,
      codedWidth: width,
      codedHeight: height,
      optimizeForLatency: true,
    });
    return supported === true;
  } catch {
    return false;
  }
}

/** 8,192 macroblocks (table A-1). */
const LEVEL_4_SAMPLES = 8192 * 256;
