import type { Tables } from "../../rows.ts";
import { measureFirstPicture } from "./first-picture.ts";
import { measureInStep } from "./in-step.ts";
import { measureInterruptions } from "./interruptions.ts";
import { openProofStage } from "./stage.ts";

const TRANSPORTS = ["WebSocket", "WebRTC"] as const;
/** `LIVE_PROOF_SECONDS=1800` looks for drift. */
const SECONDS = Number(process.env.LIVE_PROOF_SECONDS ?? 30);

/**
 * Live sessions in Chromium, by an avatar whose pictures say which they are and whose
 * mouth is white while there is sound. Core, edge, page and speaker are processes of
 * their own on one machine.
 */
export async function benchLiveProof(): Promise<Tables> {
  const stage = await openProofStage();
  try {
    const first: Awaited<ReturnType<typeof measureFirstPicture>>[] = [];
    const inStep: Awaited<ReturnType<typeof measureInStep>>[] = [];
    const interruptions: Awaited<ReturnType<typeof measureInterruptions>>[] = [];
    for (const transport of TRANSPORTS) {
      first.push(await measureFirstPicture(stage, transport));
      inStep.push(await measureInStep(stage, transport, SECONDS));
      interruptions.push(await measureInterruptions(stage, transport));
    }
    return {
      "live first picture": first,
      "live in step": inStep,
      "live interruptions": interruptions,
    };
  } finally {
    await stage.close();
  }
}
