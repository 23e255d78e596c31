/**
 * A RIFF/WAVE file, 16-bit PCM, of `samples` (-1..1, clipped beyond; NaN
 * becomes 0). Several channels are given interleaved.
 * @param sampleRate In Hz.
 */
export function encodeWav(
  samples: Float32Array,
  sampleRate: number,
  channels = 1,
): Uint8Array<ArrayBuffer> {
  const dataBytes = samples.length * BYTES_PER_SAMPLE;
  const bytes = new Uint8Array(HEADER_BYTES + dataBytes);
  const view = new DataView(bytes.buffer);
  const blockBytes = channels * BYTES_PER_SAMPLE;
  writeTag(bytes, 0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  writeTag(bytes, 8, "WAVE");
  writeTag(bytes, 12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, FORMAT_PCM, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * blockBytes, true);
  view.setUint16(32, blockBytes, true);
  view.setUint16(34, 8 * BYTES_PER_SAMPLE, true);
  writeTag(bytes, 36, "data");
  view.setUint32(40, dataBytes, true);
  for (let i = 0; i < samples.length; i++) {
    const clipped = Math.max(-1, Math.min(1, samples[i]! || 0));
    // 32768 either way, so that 16-bit input survives the trip unchanged.
    const value = Math.min(32_767, Math.round(clipped * 32_768));
    view.setInt16(HEADER_BYTES + i * BYTES_PER_SAMPLE, value, true);
  }
  return bytes;
}

/** The same file without its first `samples`. Of what `encodeWav` makes, mono. */
export async function withoutStart(wav: Blob, samples: number): Promise<Blob> {
  const header = await wav.slice(0, HEADER_BYTES).arrayBuffer();
  const data = wav.slice(HEADER_BYTES + samples * BYTES_PER_SAMPLE);
  const view = new DataView(header);
  view.setUint32(4, HEADER_BYTES - 8 + data.size, true);
  view.setUint32(40, data.size, true);
  return new Blob([header, data], { type: wav.type });
}

const HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;
const FORMAT_PCM = 1;

function writeTag(bytes: Uint8Array, at: number, tag: string): void {
  for (let i = 0; i < tag.length; i++) bytes[at + i] = tag.charCodeAt(i);
}
