import {
  GenericNack,
  ReceiverEstimatedMaxBitrate,
  type RtcpPacket,
  RtcpPayloadSpecificFeedback,
  RtcpRrPacket,
  RtcpTransportLayerFeedback,
} from "werift";
import type { MediaSender } from "../../live/rtp/media-sender.ts";

/** Formats of payload-specific feedback: PLI (RFC 4585, 6.3.1) and FIR (RFC 5104, 4.3.1). */
const PICTURE_LOST: readonly number[] = [1, 4];

/** What a receiver can tell a sender. */
export type FeedbackTaker = Pick<
  MediaSender,
  "reported" | "lost" | "receiverEstimate" | "pictureLost"
>;

/** Tells a sender what its receiver says. What is of no use to it is skipped. */
export function takeFeedback(packet: RtcpPacket, sender: FeedbackTaker): void {
  if (packet instanceof RtcpRrPacket) {
    for (const { ssrc, highestSequence, packetsLost, lsr, dlsr } of packet.reports) {
      const loss = { highestSequence, lost: packetsLost };
      sender.reported({ ssrc, ...loss, lastReport: lsr, sinceLastReport: dlsr });
    }
  } else if (packet instanceof RtcpTransportLayerFeedback) {
    const { feedback } = packet;
    if (feedback instanceof GenericNack) sender.lost(feedback.mediaSourceSsrc, feedback.lost);
  } else if (packet instanceof RtcpPayloadSpecificFeedback) {
    const { feedback } = packet;
    if (feedback instanceof ReceiverEstimatedMaxBitrate) {
      sender.receiverEstimate(Number(feedback.bitrate) / 1000);
    } else if (PICTURE_LOST.includes(feedback?.count)) {
      sender.pictureLost();
    }
  }
}
