import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { createFramePreparer } from "../background/frame-preparer.ts";
import type { PreparerOrder } from "./preparer-pool.ts";
import { serveOrders } from "./serve-orders.ts";

/** Entry of a preparer thread. */
const preparer = createFramePreparer(createImageCodecs());

serveOrders<PreparerOrder>(({ file, shape, want }) => {
  if (want === "mouth") return preparer.cutMouth(file, shape);
  if (want === "picture") return preparer.toPicture(file, shape);
  return preparer.prepare(file, shape, want);
});
