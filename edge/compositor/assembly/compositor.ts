export { alloc, paste } from "./paste";
