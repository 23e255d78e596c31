import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Logger } from "../../../avatar/logger.ts";
import { isErrorCode } from "../../../avatar/runtime/error-code.ts";
import { SettingsError } from "../../../avatar/settings.ts";
import type { HostCandidate } from "../../live/whep/answer.ts";
import type { IceRouter } from "./ice-router.ts";

export interface UdpListenerOptions {
  /** What peers are told; a public address of a NAT need not be this machine's. */
  readonly address: string;
  /** The first free port of these; null for any. */
  readonly ports: { readonly min: number; readonly max: number } | null;
  readonly router: IceRouter;
  readonly logger: Logger;
}

/** So that a key frame of one peer does not push out another's; the system may give less. */
const BUFFER_BYTES = 1024 * 1024;

/** One UDP socket that all peers share. */
export interface UdpListener {
  readonly candidate: HostCandidate;
  close(): Promise<void>;
}

/** @throws SettingsError when no port can be had */
export async function listenOnUdp(options: UdpListenerOptions): Promise<UdpListener> {
  const { address, router, logger } = options;
  const socket = await bind(options);
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch (error) {
    logger.debug("the buffers of a UDP socket stay as they are", { error });
  }
  // A packet that the system refuses is a lost packet, and no reason to end.
  socket.on("error", (error) => logger.debug("a UDP packet was not sent", { error }));
  const { port } = socket.address();
  let isClosed = false;
  socket.on("message", (data, from) => {
    const key = `udp:${address}:${port}:${from.address}:${from.port}`;
    // Of the source port 0 nothing can come that wants an answer.
    if (from.port === 0) return;
    const send = (bytes: Uint8Array) => {
      if (!isClosed) socket.send(bytes, from.port, from.address);
    };
    router.receive(data, { key, address: from.address, port: from.port, send });
  });
  return {
    candidate: { address, port, protocol: "udp" },
    close: () =>
      new Promise((resolve) => {
        if (isClosed) return resolve();
        isClosed = true;
        socket.close(() => resolve());
      }),
  };
}

async function bind({ address, ports }: UdpListenerOptions): Promise<Socket> {
  const { min, max } = ports ?? { min: 0, max: 0 };
  let bindAddress: string | undefined = address;
  for (let port = min; port <= max; port++) {
    try {
      return await bindTo(address, bindAddress, port);
    } catch (error) {
      if (isErrorCode(error, "EADDRNOTAVAIL") && bindAddress !== undefined) {
        // Not this machine's: a NAT brings its packets here.
        bindAddress = undefined;
        port--;
      } else if (!isErrorCode(error, "EADDRINUSE", "EACCES")) {
        throw new SettingsError(`webrtc: no UDP port can be opened for ${address}: ${error}`);
      }
    }
  }
  throw new SettingsError(`webrtc.udp_ports: none of ${min} to ${max} is free for ${address}`);
}

function bindTo(family: string, address: string | undefined, port: number): Promise<Socket> {
  const isV6 = isIPv6(family);
  const socket = createSocket({ type: isV6 ? "udp6" : "udp4", ipv6Only: isV6 });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      socket.close();
      reject(error);
    };
    socket.once("error", fail);
    socket.bind({ port, address: address ?? (isV6 ? "::" : "0.0.0.0"), exclusive: true }, () => {
      socket.off("error", fail);
      resolve(socket);
    });
  });
}
