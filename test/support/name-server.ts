import { createSocket } from "node:dgram";

/** Codes of RFC 1035 section 4.1.1, types and classes of section 3.2. */
const NXDOMAIN = 3;
const SERVFAIL = 2;
const TYPE_A = 1;
const CLASS_IN = 1;

export interface NameServer {
  /** For `Resolver.setServers`. */
  readonly address: string;
  /** IPv4 addresses by name; a name that is not here does not exist. */
  readonly names: Map<string, readonly string[]>;
  /** Answers SERVFAIL to everything. */
  isBroken: boolean;
  close(): Promise<void>;
}

/** A name server on loopback that knows A records: enough of RFC 1035 to be asked by a real resolver. */
export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket("udp4");
  const names = new Map<string, readonly string[]>();
  const server = { isBroken: false };
  socket.on("message", (query, from) => {
    socket.send(answer(query, names, server.isBroken), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return Object.assign(server, {
    address: `127.0.0.1:${socket.address().port}`,
    names,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  });
}

function answer(
  query: Buffer,
  names: ReadonlyMap<string, readonly string[]>,
  isBroken: boolean,
): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at++]!; length > 0; length = query[at++]!) {
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  const type = query.readUInt16BE(at);
  const question = query.subarray(12, at + 4);
  const found = isBroken ? [] : names.get(labels.join(".").toLowerCase());
  const records = type === TYPE_A ? (found ?? []) : [];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  const code = isBroken ? SERVFAIL : found ? 0 : NXDOMAIN;
  // A response, authoritative, recursion as it was asked for.
  header.writeUInt16BE(0x8400 | (query.readUInt16BE(2) & 0x0100) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records.map(record)]);
}

/** An A record of the name that was asked for, which may be kept for a minute. */
function record(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  // Compressed: the name is at offset 12.
  bytes.writeUInt16BE(0xc00c, 0);
  bytes.writeUInt16BE(TYPE_A, 2);
  bytes.writeUInt16BE(CLASS_IN, 4);
  bytes.writeUInt32BE(60, 6);
  bytes.writeUInt16BE(4, 10);
  bytes.set(address.split(".").map(Number), 12);
  return bytes;
}
