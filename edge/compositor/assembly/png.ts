export { crc32 } from "./crc32";
export { heapBase } from "./memory";
export { assemblePatch } from "./patch";
export { largestBlock, preparePng, roomPerByte } from "./png-prepare";
export { splicePng } from "./png-splice";
