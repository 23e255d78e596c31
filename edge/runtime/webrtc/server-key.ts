import { verify, X509Certificate } from "node:crypto";
import type { DtlsSocket } from "werift";

/** handshake_type of server_key_exchange (RFC 5246, 7.4). */
const SERVER_KEY_EXCHANGE = 12;
/** ECCurveType named_curve (RFC 8422, 5.4). */
const NAMED_CURVE = 3;
/** HashAlgorithm (RFC 5246, 7.4.1.4.1); SHA-1 and older are no proof any more. */
const HASHES: Readonly<Record<number, string>> = { 4: "sha256", 5: "sha384", 6: "sha512" };

/**
 * Proves that who answered the DTLS handshake holds the key of the certificate
 * whose fingerprint was in the offer (RFC 5246, 7.4.3). werift 0.25 compares
 * the fingerprint alone, and a certificate is no secret: somebody in between
 * could show the viewer's and watch in his place.
 */
export class ServerKey {
  readonly #socket: DtlsSocket;
  /** The message that the keys were made from. */
  #message: Buffer | null = null;

  /** @param socket whose handshake has not begun */
  constructor(socket: DtlsSocket) {
    this.#socket = socket;
    const handle = socket.onHandleHandshakes;
    socket.onHandleHandshakes = async (messages) => {
      for (const { msg_type, fragment } of messages) {
        if (msg_type !== SERVER_KEY_EXCHANGE) continue;
        // werift would take another key each time; only repetitions of the first are harmless.
        if (this.#message && !this.#message.equals(fragment)) {
          throw new Error("the DTLS handshake has two keys");
        }
        this.#message = Buffer.from(fragment);
      }
      await handle(messages);
    };
  }

  /** Whether the key was signed by the certificate's. To be asked when the handshake is over. */
  isProven(): boolean {
    const { remoteCertificate, cipher } = this.#socket;
    if (!this.#message || !remoteCertificate) return false;
    const randoms = [cipher.localRandom.serialize(), cipher.remoteRandom.serialize()];
    return isSigned(this.#message, Buffer.concat(randoms), remoteCertificate);
  }
}

/**
 * @param message body of a ServerKeyExchange (RFC 8422, 5.4)
 * @param randoms of client and server, 64 bytes
 * @param certificate DER
 */
export function isSigned(message: Buffer, randoms: Buffer, certificate: Buffer): boolean {
  if (message.length < 8 || message[0] !== NAMED_CURVE) return false;
  const end = 4 + message[3]!;
  if (message.length < end + 4) return false;
  const hash = HASHES[message[end]!];
  const signature = message.subarray(end + 4);
  if (!hash || signature.length !== message.readUInt16BE(end + 2)) return false;
  try {
    const { publicKey } = new X509Certificate(certificate);
    const signed = Buffer.concat([randoms, message.subarray(0, end)]);
    return verify(hash, signed, publicKey, signature);
  } catch {
    return false;
  }
}
