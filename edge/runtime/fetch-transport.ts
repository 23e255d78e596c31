import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { gatherEnvelopes } from "../core/gather-envelopes.ts";
import { sendToken } from "../core/send-token.ts";

export interface FetchTransportOptions {
  readonly url: string;
  /** Bearer token; null sends none. */
  readonly token: string | null;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

/** Of answers in envelopes. */
const STREAM_TYPE = "application/connect+";

/** The core over `fetch`, as runtimes have it that speak no gRPC: Connect over HTTP/1.1 or 2. */
export function createFetchTransport(options: FetchTransportOptions): Transport {
  const { url, token, fetch: send = fetch } = options;
  return createConnectTransport({
    baseUrl: url,
    useBinaryFormat: true,
    async fetch(input, init) {
      // workerd knows no `redirect: "error"`. A core never redirects, and who does is none.
      const response = await send(input, { ...init, redirect: "manual" });
      const isStream = response.headers.get("content-type")?.startsWith(STREAM_TYPE);
      if (!isStream || !response.body) return response;
      return new Response(gatherEnvelopes(response.body), response);
    },
    interceptors: token === null ? [] : [sendToken(token)],
  });
}
