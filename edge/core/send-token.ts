import type { Interceptor } from "@connectrpc/connect";

/** Puts a bearer token on each call. */
export function sendToken(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
