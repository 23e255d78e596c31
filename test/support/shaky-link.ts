import { connect, createServer, type Socket } from "node:net";

/** What a link does to what goes over it. */
export type LinkState =
  | { readonly kind: "open" }
  /** Connections are broken and refused, as by a process that was killed. */
  | { readonly kind: "cut" }
  /** Nothing passes, and nobody is told. */
  | { readonly kind: "silent" }
  /** Everything comes so much later, in milliseconds. */
  | { readonly kind: "slow"; readonly delayMs: number };

export interface ShakyLink {
  readonly url: string;
  /** Opened since the start. */
  readonly connections: number;
  set(state: LinkState): void;
  close(): Promise<void>;
}

/** A TCP relay on loopback to a server that is there, with faults of its own. */
export async function startShakyLink(target: string): Promise<ShakyLink> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let state: LinkState = { kind: "open" };
  let wake = Promise.withResolvers<void>();

  const relay = async (from: Socket, to: Socket) => {
    for await (const chunk of from) {
      while (state.kind === "silent") await wake.promise;
      if (state.kind === "slow") {
        const { delayMs } = state;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      if (!to.write(chunk)) await new Promise((resolve) => to.once("drain", resolve));
    }
    to.end();
  };
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    if (state.kind === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    // One end that has gone takes the other with it.
    relay(near, far).catch(() => far.destroy());
    relay(far, near).catch(() => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the link has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    get connections() {
      return connections;
    },
    set(next) {
      state = next;
      wake.resolve();
      wake = Promise.withResolvers();
      if (next.kind === "cut") for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      state = { kind: "open" };
      wake.resolve();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
