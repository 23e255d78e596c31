import { Code, ConnectError } from "@connectrpc/connect";

/** Why a core and its caller do not get together although both are there. */
export type AccessProblem =
  /** The core takes no token, or not the one it was sent. */
  | "token"
  /** The caller does not trust the core's certificate, or it is another host's. */
  | "untrusted"
  /** The core refuses the caller's certificate, or wants one. */
  | "certificate"
  /** The caller speaks TLS, and the other side does not. */
  | "no-tls"
  /** The connection ended without a word: a certificate of nobody's, or plain text where TLS is due. */
  | "broken-off";

/** By `code` of the error behind a failed connection, as Node and OpenSSL name them. */
const PROBLEMS: readonly (readonly [RegExp, AccessProblem])[] = [
  [/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$|^EPROTO$/, "no-tls"],
  [/^ERR_SSL_.*_ALERT_/, "certificate"],
  [/^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT|INVALID_CA|ERR_TLS_CERT)_/, "untrusted"],
  [/^(ECONNRESET|EPIPE)$/, "broken-off"],
];

/**
 * What kept a call from the core, if that is a matter of settings. A runtime
 * whose errors have no codes (`fetch`) shows the first kind only.
 * @param error what the call threw, where its caller did not cancel it
 */
export function accessProblemOf(error: unknown): AccessProblem | null {
  const { code } = ConnectError.from(error);
  if (code === Code.Unauthenticated || code === Code.PermissionDenied) return "token";
  let cause: unknown = error;
  // A chain longer than any there is, or one that bites its tail.
  for (let depth = 0; cause instanceof Error && depth < 10; depth++, cause = cause.cause) {
    const name = "code" in cause ? String(cause.code) : "";
    const known = PROBLEMS.find(([pattern]) => pattern.test(name));
    if (known) return known[1];
  }
  // Nobody cancelled: it is how a closed HTTP/2 connection ends its streams.
  return code === Code.Canceled ? "broken-off" : null;
}
