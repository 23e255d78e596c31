import { createSocket, type Socket } from "node:dgram";
import type { SeededRandom } from "../fuzz/random.ts";

export interface LossyUdp {
  readonly port: number;
  /** Share of packets that are lost, of each direction. */
  loss: number;
  /** What has passed and what was lost. */
  readonly counts: { passed: number; lost: number };
  close(): Promise<void>;
}

/** A UDP relay on loopback to a port there, which loses some of what goes over it. */
export async function startLossyUdp(target: number, random: SeededRandom): Promise<LossyUdp> {
  const near = await bound();
  const far = new Map<string, Promise<Socket>>();
  const counts = { passed: 0, lost: 0 };
  const link: { loss: number } = { loss: 0 };
  const pass = (socket: Socket, data: Buffer, port: number, address: string) => {
    const isLost = random.unit() < link.loss;
    counts[isLost ? "lost" : "passed"]++;
    if (!isLost) socket.send(data, port, address);
  };
  const open = async (port: number, address: string) => {
    const socket = await bound();
    socket.on("message", (data) => pass(near, data, port, address));
    return socket;
  };
  // A browser on this machine may send from an address that is not loopback.
  near.on("message", async (data, { address, port }) => {
    const key = `${address}:${port}`;
    const socket = far.get(key) ?? open(port, address);
    far.set(key, socket);
    pass(await socket, data, target, "127.0.0.1");
  });
  return {
    port: near.address().port,
    counts,
    get loss() {
      return link.loss;
    },
    set loss(share) {
      link.loss = share;
    },
    async close() {
      for (const socket of [near, ...(await Promise.all(far.values()))]) {
        await new Promise<void>((resolve) => socket.close(() => resolve()));
      }
    },
  };
}

function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  return new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket)));
}
