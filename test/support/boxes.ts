/** A box of ISO/IEC 14496-12, 4.2. */
export interface Box {
  readonly type: string;
  readonly content: Uint8Array;
}

/** The boxes that bytes are made of; fails where they do not end with the bytes. */
export function boxesOf(bytes: Uint8Array): Box[] {
  const boxes: Box[] = [];
  const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const isLong = numbers.getUint32(at) === 1;
    const size = isLong ? Number(numbers.getBigUint64(at + 8)) : numbers.getUint32(at);
    const header = isLong ? 16 : 8;
    if (size < header || at + size > bytes.length) throw new Error(`a box of ${size} at ${at}`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    boxes.push({ type, content: bytes.subarray(at + header, at + size) });
    at += size;
  }
  return boxes;
}

/** The content of the box at the end of a path, `moov/trak/edts`; the first of each type. */
export function boxAt(bytes: Uint8Array, path: string): Uint8Array | null {
  let content: Uint8Array | null = bytes;
  for (const type of path.split("/")) {
    content = content && (boxesOf(content).find((box) => box.type === type)?.content ?? null);
  }
  return content;
}
