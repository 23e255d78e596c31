import { median, round } from "../../compare.ts";
import type { ProofStage } from "./stage.ts";
import { openViewer, type Transport } from "./viewer-page.ts";

const ROUNDS = 10;

/** From joining a session that has been opened to its first picture, in pages that have nothing yet. */
export async function measureFirstPicture(stage: ProofStage, transport: Transport) {
  const times: number[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const session = await stage.open();
    const { browser, site, edge } = stage;
    const { page, firstMs } = await openViewer(browser, site, transport, edge.url, session);
    times.push(firstMs);
    await page.close();
    await stage.remove(session);
  }
  return {
    transport,
    "first picture, ms": round(median(times), 0),
    quickest: round(Math.min(...times), 0),
    slowest: round(Math.max(...times), 0),
    limit: transport === "WebSocket" ? 500 : 900,
    met: `${times.filter((ms) => ms < (transport === "WebSocket" ? 500 : 900)).length} of ${ROUNDS}`,
  };
}
