export { alloc, paste } from "./paste";
export { heapBase } from "./memory";
export { assemblePatch } from "./patch";
