/** Header of every binary message: docs/live-protocol.md. Numbers are big-endian. */
export const HEADER_BYTES = 16;
export const BINARY_VERSION = 1;

/** What a binary message holds. */
export const BINARY_KINDS = {
  /** An access unit in the byte stream format (ITU-T H.264, annex B). */
  h264: 1,
  /** A JPEG file. */
  jpeg: 2,
  /** 16-bit little-endian mono samples at 16 kHz. */
  pcm: 3,
  /** An Opus packet of 20 ms (RFC 6716). */
  opus: 4,
  /** From the client: 16-bit little-endian mono samples at 16 kHz that the avatar is to say. */
  speech: 16,
} as const;

export type BinaryKind = keyof typeof BINARY_KINDS;

const KEY_FRAME = 1;

export interface BinaryHeader {
  readonly kind: BinaryKind;
  /** Whether a decoder can begin here. */
  readonly isKeyFrame: boolean;
  /** On the session's clock; 0 from the client. */
  readonly timestampMs: number;
  /** Counts the binary messages of a connection from 1; 0 from the client. */
  readonly sequence: number;
  /** The segment that is seen or heard, 0 for none. From the client: the epoch. */
  readonly segment: number;
}

/** A message of header and parts, in memory of its own. */
export function encodeBinary(
  header: BinaryHeader,
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const message = new Uint8Array(length);
  const view = new DataView(message.buffer);
  view.setUint8(0, BINARY_VERSION);
  view.setUint8(1, BINARY_KINDS[header.kind]);
  view.setUint16(2, header.isKeyFrame ? KEY_FRAME : 0);
  view.setUint32(4, header.timestampMs);
  view.setUint32(8, header.sequence);
  view.setUint32(12, header.segment);
  let at = HEADER_BYTES;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** Header and content, which is a view of the message; null when it is no message of this version. */
export function decodeBinary(
  message: ArrayBuffer,
): { readonly header: BinaryHeader; readonly body: Uint8Array<ArrayBuffer> } | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const view = new DataView(message);
  const code = view.getUint8(1);
  const kind = (Object.keys(BINARY_KINDS) as BinaryKind[]).find(
    (name) => BINARY_KINDS[name] === code,
  );
  if (view.getUint8(0) !== BINARY_VERSION || kind === undefined) return null;
  const header = {
    kind,
    isKeyFrame: (view.getUint16(2) & KEY_FRAME) !== 0,
    timestampMs: view.getUint32(4),
    sequence: view.getUint32(8),
    segment: view.getUint32(12),
  };
  return { header, body: new Uint8Array(message, HEADER_BYTES) };
}
