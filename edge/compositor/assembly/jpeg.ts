export { heapBase } from "./memory";
export { assemblePatch } from "./patch";
export { clearCounts, countsStart } from "./jpeg-count";
export { extendEdges } from "./jpeg-pixels";
export { codeRow, codeStaticRuns } from "./jpeg-row";
export { countMcus, restartPrediction } from "./jpeg-run";
export { spliceJpeg } from "./jpeg-splice";
export { setTables } from "./jpeg-tables";
