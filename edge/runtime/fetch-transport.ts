import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { sendToken } from "../core/send-token.ts";

export interface FetchTransportOptions {
  readonly url: string;
  /** Bearer token; null sends none. */
  readonly token: string | null;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

/** The core over `fetch`, as runtimes have it that speak no gRPC: Connect over HTTP/1.1 or 2. */
export function createFetchTransport(options: FetchTransportOptions): Transport {
  const { url, token, fetch: send = fetch } = options;
  return createConnectTransport({
    baseUrl: url,
    useBinaryFormat: true,
    // workerd knows no `redirect: "error"`. A core never redirects, and who does is none.
    fetch: (input, init) => send(input, { ...init, redirect: "manual" }),
    interceptors: token === null ? [] : [sendToken(token)],
  });
}
