/** 24.8 days. A timer that is set to more rings at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `TimeoutUnit` of gRPC over HTTP/2, in milliseconds. */
const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The headers of a call without a deadline that is further away than a timer
 * reaches, as clients send it that want none (`grpc-timeout: 99999999H`): with
 * it every call would be late. What is no timeout at all stays, for Connect to
 * refuse.
 */
export function withoutEndlessTimeouts(headers: Headers): Headers {
  const endless = ["grpc-timeout", "connect-timeout-ms"].filter((name) => {
    const [, digits, unit = "m"] = /^(\d{1,10})([HMSmun])?$/.exec(headers.get(name) ?? "") ?? [];
    return digits !== undefined && Number(digits) * UNITS_MS[unit]! > LONGEST_TIMER_MS;
  });
  if (endless.length === 0) return headers;
  // Those of a request cannot be changed.
  const others = new Headers(headers);
  for (const name of endless) others.delete(name);
  return others;
}
