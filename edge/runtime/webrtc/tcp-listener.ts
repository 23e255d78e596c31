import { createServer, type Socket } from "node:net";
import type { Logger } from "../../../avatar/logger.ts";
import { isErrorCode } from "../../../avatar/runtime/error-code.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import type { HostCandidate } from "../../live/whep/answer.ts";
import type { IcePath } from "./ice-path.ts";
import type { IceRouter } from "./ice-router.ts";
import { FrameReader, framed } from "./tcp-frames.ts";

export interface TcpListenerOptions {
  /** What peers are told; a public address of a NAT need not be this machine's. */
  readonly address: string;
  readonly port: number;
  readonly router: IceRouter;
  readonly logger: Logger;
  /** Connections at the same time; more are closed at once. */
  readonly maxConnections: number;
}

/** What a peer sends is checks, DTLS and RTCP. */
const MAX_PACKET_BYTES = 4096;
/** Whoever has not shown the password by then is cut off. */
const CHECK_LIMIT_MS = 5000;
/** Checks come every few seconds. */
const SILENCE_LIMIT_MS = 30_000;
/** A connection that is so far behind loses packets, as UDP would: what waits is late anyway. */
const MAX_BACKLOG_BYTES = 128 * 1024;

/** ICE over TCP, passive (RFC 6544): one port for all peers. */
export interface TcpListener {
  readonly candidate: HostCandidate;
  close(): Promise<void>;
}

/** @throws SettingsError when the port cannot be had */
export async function listenOnTcp(options: TcpListenerOptions): Promise<TcpListener> {
  const { address, port, router, logger, maxConnections } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, address, router);
  });
  server.maxConnections = maxConnections;
  server.on("error", (error) => logger.debug("an ICE connection was not taken", { error }));
  try {
    await listen(server, port, address);
  } catch (error) {
    // A NAT's address is not this machine's: it brings its connections here.
    if (!isErrorCode(error, "EADDRNOTAVAIL")) throw asSettingsError(error, address, port);
    const any = address.includes(":") ? "::" : "0.0.0.0";
    await listen(server, port, any).catch((error) => {
      throw asSettingsError(error, address, port);
    });
  }
  return {
    candidate: { address, port, protocol: "tcp" },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, address: string, router: IceRouter): void {
  const { remoteAddress, remotePort } = socket;
  if (!remoteAddress || !remotePort) {
    socket.destroy();
    return;
  }
  const send = (packet: Uint8Array) => {
    if (!socket.writable || socket.writableLength > MAX_BACKLOG_BYTES) return;
    socket.write(framed(packet));
  };
  const path: IcePath = {
    key: `tcp:${address}:${remoteAddress}:${remotePort}`,
    address: remoteAddress,
    port: remotePort,
    send,
  };
  const frames = new FrameReader(MAX_PACKET_BYTES);
  let isKnown = false;
  const checkLimit = setTimeout(() => socket.destroy(), CHECK_LIMIT_MS);
  socket.setTimeout(SILENCE_LIMIT_MS, () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const packets = frames.read(chunk);
    // Before its first right check a connection has nothing else to say.
    const isWrong = packets?.some((packet) => !router.receive(packet, path) && !isKnown) ?? true;
    if (isWrong) socket.destroy();
    else if (packets!.length > 0 && !isKnown) {
      isKnown = true;
      clearTimeout(checkLimit);
    }
  });
  // The close event follows.
  socket.on("error", () => {});
  socket.on("close", () => {
    clearTimeout(checkLimit);
    router.lose(path);
  });
}

function listen(server: ReturnType<typeof createServer>, port: number, host: string) {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, exclusive: true, ipv6Only: host.includes(":") }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function asSettingsError(error: unknown, address: string, port: number): SettingsError {
  return new SettingsError(
    `webrtc.ice_tcp: TCP port ${port} of ${address} cannot be had: ${error}`,
  );
}
