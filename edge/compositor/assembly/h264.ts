import { initQuantisation } from "./h264/quantisation-tables";

export { cavlcTables } from "./h264/cavlc";
export { placeRgb } from "./h264/colour";
export { decodeSlice } from "./h264/decode";
export { maxHintBytes, setHints, takeHints } from "./h264/hints";
export { setReach } from "./h264/motion";
export {
  coderBytes,
  finishPicture,
  layOut,
  referenceOf,
  sourceOf,
  strideOf,
} from "./h264/planes";
export { codeSlice } from "./h264/slice";
export { heapBase } from "./memory";

initQuantisation();
