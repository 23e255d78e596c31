export { heapBase } from "./memory";
export { assemblePatch } from "./patch";
