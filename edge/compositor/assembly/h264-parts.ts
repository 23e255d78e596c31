// The parts of the H.264 coder one by one, for the tests beside `../h264/`.
import { initQuantisation } from "./h264/quantisation-tables";

export { beginBits, endBits, putSe, putUe } from "./h264/bits";
export { cavlcTables, putResidual } from "./h264/cavlc";
export { gatherEdge, predictBlock } from "./h264/intra-4x4";
export { predictChroma, predictWhole } from "./h264/intra-whole";
export { predictChromaInter, predictLuma } from "./h264/interpolate";
export { sad, satd, ssd } from "./h264/metrics";
export { quantiseBlock, scaleBlock, setQuantiser } from "./h264/quantise";
export { forwardPair, inversePair, PAIR } from "./h264/transform";
export { heapBase } from "./memory";

initQuantisation();
