import { Code, type ConnectError } from "@connectrpc/connect";

/** An answer to a call that is refused before its message is read. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** gRPC-Web and gRPC alike. */
const GRPC = /^application\/grpc[a-z+-]*/;
const CONNECT_STREAM = /^application\/connect\+[a-z]+/;
/** Flag of a message that is the end of the stream, and the length of what precedes a message. */
const END_STREAM = 2;
const PREFIX_BYTES = 5;

/**
 * Says no in the protocol that was spoken to us, so that clients see code and
 * message: a trailers-only response of gRPC, an end of stream or an error of
 * Connect (their protocol specifications).
 * @param status of the answer where the protocol has it in the HTTP status
 */
export function refuseCall(contentType: string, status: number, error: ConnectError): Refusal {
  const headers = new Headers(error.metadata);
  headers.set("cache-control", "no-store");
  const [grpc] = GRPC.exec(contentType) ?? [];
  if (grpc) {
    headers.set("content-type", grpc);
    headers.set("grpc-status", String(error.code));
    headers.set("grpc-message", encodeURIComponent(error.rawMessage));
    return { status: 200, headers, body: null };
  }
  const told = { code: nameOf(error.code), message: error.rawMessage };
  const [stream] = CONNECT_STREAM.exec(contentType) ?? [];
  if (stream) {
    headers.set("content-type", stream);
    return { status: 200, headers, body: endOfStream({ error: told }) };
  }
  headers.set("content-type", "application/json");
  return { status, headers, body: encode(told) };
}

/** As Connect spells it: PermissionDenied is permission_denied. */
function nameOf(code: Code): string {
  return Code[code].replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();
}

function endOfStream(content: object): Uint8Array<ArrayBuffer> {
  const json = encode(content);
  const message = new Uint8Array(PREFIX_BYTES + json.length);
  message[0] = END_STREAM;
  new DataView(message.buffer).setUint32(1, json.length);
  message.set(json, PREFIX_BYTES);
  return message;
}

function encode(content: object): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(JSON.stringify(content)));
}
