import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const HEADER_BYTES = 16;
const KINDS = { jpeg: 2, pcm: 3 } as const;

/**
 * Watches a session and keeps what it sees: `%08d.jpg` by their time in
 * milliseconds, and `sound.s16le` at 16 kHz.
 * @returns stops
 */
export async function record(url: string, token: string, folder: string): Promise<() => void> {
  await mkdir(folder, { recursive: true });
  const sound = createWriteStream(join(folder, "sound.s16le"));
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const joined = Promise.withResolvers<void>();
  socket.onopen = () => {
    const offer = { video: ["jpeg"], audio: ["pcm"] };
    socket.send(JSON.stringify({ type: "join", protocol: 1, token, ...offer }));
  };
  socket.onclose = ({ reason }) => {
    sound.end();
    joined.reject(new Error(`nothing can be recorded: ${reason}`));
  };
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === "string") {
      if (JSON.parse(data).type === "joined") joined.resolve();
      return;
    }
    const view = new DataView(data);
    // Without acknowledgements the session sends no more than a few frames.
    socket.send(JSON.stringify({ type: "ack", sequence: view.getUint32(8) }));
    const body = new Uint8Array(data, HEADER_BYTES);
    if (view.getUint8(1) === KINDS.pcm) sound.write(body);
    if (view.getUint8(1) !== KINDS.jpeg) return;
    const name = `${String(view.getUint32(4)).padStart(8, "0")}.jpg`;
    writeFile(join(folder, name), body).catch((error: unknown) => {
      console.error(String(error));
      socket.close();
    });
  };
  await joined.promise;
  return () => socket.close();
}
