// CRC-32 as PNG chunks carry it (PNG specification, annex D), sixteen bytes a
// step: Kounavis and Berry, "Novel Table Lookup-Based Algorithms for
// High-Performance CRC Generation" (2008).

const POLYNOMIAL: u32 = 0xedb88320;
const TABLES: usize = 16;
const TABLE_BYTES: usize = 1024;
const tables = memory.data(TABLES * TABLE_BYTES, 16);
let isBuilt = false;

function build(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    store<u32>(tables + (byte << 2), value);
  }
  for (let n: usize = 1; n < TABLES; n++) {
    for (let byte: usize = 0; byte < 256; byte++) {
      const value = load<u32>(tables + (n - 1) * TABLE_BYTES + (byte << 2));
      store<u32>(tables + n * TABLE_BYTES + (byte << 2), step(value, 0));
    }
  }
  isBuilt = true;
}

@inline
function step(crc: u32, byte: u32): u32 {
  return (crc >>> 8) ^ load<u32>(tables + (((crc ^ byte) & 255) << 2));
}

@inline
function look(table: usize, word: u32, shift: u32): u32 {
  return load<u32>(tables + table * TABLE_BYTES + (((word >> shift) & 255) << 2));
}

@inline
function lookWord(table: usize, word: u32): u32 {
  return (
    look(table + 3, word, 0) ^
    look(table + 2, word, 8) ^
    look(table + 1, word, 16) ^
    look(table, word, 24)
  );
}

/** CRC-32 of `count` bytes. */
export function crc32(at: usize, count: i32): u32 {
  if (!isBuilt) build();
  let crc: u32 = 0xffffffff;
  const end = at + <usize>count;
  for (; at + 16 <= end; at += 16) {
    crc =
      lookWord(12, load<u32>(at) ^ crc) ^
      lookWord(8, load<u32>(at, 4)) ^
      lookWord(4, load<u32>(at, 8)) ^
      lookWord(0, load<u32>(at, 12));
  }
  for (; at < end; at++) crc = step(crc, load<u8>(at));
  return ~crc;
}
