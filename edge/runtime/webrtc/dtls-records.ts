import type { DtlsSocket } from "werift";

/** Content types, and what close_notify says (RFC 5246, 6.2.1 and 7.2). */
const ALERT = 21;
const HANDSHAKE = 22;
const CLOSE_NOTIFY = Buffer.from([1, 0]);
/** handshake_type of finished (RFC 5246, 7.4), and the flight it belongs to. */
const FINISHED = 20;
const CLIENT_FLIGHT = 5;
const HEADER_BYTES = 13;
/**
 * werift counts from 0 again behind its Finished, which had a number of the
 * handshake's. Ours begin where neither has been.
 */
const FIRST_SEQUENCE_NUMBER = 1000;

/** The end of the connection, for the peer to know. */
export function closeNotify(socket: DtlsSocket): Buffer {
  return sealed(socket, ALERT, CLOSE_NOTIFY);
}

/**
 * Our Finished as a new record; null before there is one. A peer whose own
 * Finished was lost sends it again when it sees ours again (RFC 6347, 4.2.4).
 * werift repeats the old record, which every peer takes for a replay.
 */
export function repeatedFinished(socket: DtlsSocket): Buffer | null {
  const { flight, epoch, handshakeCache } = socket.dtls;
  if (flight !== CLIENT_FLIGHT || epoch !== 1) return null;
  const messages = handshakeCache[CLIENT_FLIGHT]?.data ?? [];
  const finished = messages.find(({ msg_type }) => msg_type === FINISHED);
  return finished ? sealed(socket, HANDSHAKE, finished.serialize()) : null;
}

/** A record under the connection's keys (RFC 6347, 4.1). */
function sealed({ cipher, dtls, sessionType }: DtlsSocket, type: number, content: Buffer): Buffer {
  const { major, minor } = dtls.version;
  const sequenceNumber = Math.max(FIRST_SEQUENCE_NUMBER, dtls.recordSequenceNumber) + 1;
  dtls.recordSequenceNumber = sequenceNumber;
  const header = { type, version: (major << 8) | minor, epoch: dtls.epoch, sequenceNumber };
  const body = cipher.cipher.encrypt(sessionType, content, header);
  const record = Buffer.alloc(HEADER_BYTES + body.length);
  record.set([type, major, minor]);
  record.writeUInt16BE(dtls.epoch, 3);
  record.writeUIntBE(sequenceNumber, 5, 6);
  record.writeUInt16BE(body.length, 11);
  body.copy(record, HEADER_BYTES);
  return record;
}
