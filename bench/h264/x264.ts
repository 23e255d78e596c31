import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { planesOf } from "../../edge/compositor/h264/picture.ts";
import type { Clip } from "./clips.ts";

/** A stream that x264 made of whole frames. */
export interface X264Stream {
  readonly stream: Uint8Array;
  /** CPU time of one frame, reading and all. */
  readonly msPerFrame: number;
}

/** Codes a clip with x264, Baseline and without delay, on one thread. */
export async function codeWithX264(
  clip: Clip,
  preset: "veryfast" | "ultrafast",
  crf: number,
  keyFrames: number,
  folder: string,
): Promise<X264Stream> {
  const { width, height, order } = clip.background;
  const out = join(folder, "x264.h264");
  const args = ["-v", "error", "-benchmark", "-f", "rawvideo", "-pix_fmt", "yuv420p"];
  args.push("-s", `${width}x${height}`, "-r", String(clip.framesPerSecond), "-i", "-");
  args.push("-c:v", "libx264", "-preset", preset, "-tune", "zerolatency");
  args.push("-profile:v", "baseline", "-crf", String(crf), "-g", String(keyFrames));
  args.push("-keyint_min", String(keyFrames), "-sc_threshold", "0", "-threads", "1", "-y", out);
  const child = spawn("ffmpeg", ["-loglevel", "info", ...args.slice(2)], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (text: Buffer) => {
    log += text.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  for (let position = 0; position < order.length; position++) {
    for (const { data } of planesOf(clip.compositeAt(position))) {
      if (!child.stdin.write(data)) {
        await new Promise((resolve) => child.stdin.once("drain", resolve));
      }
    }
  }
  child.stdin.end();
  if ((await ended) !== 0) throw new Error(`x264 failed: ${log}`);
  const seconds = Number(/utime=([\d.]+)s/.exec(log)?.[1]);
  return { stream: await readFile(out), msPerFrame: (seconds * 1000) / order.length };
}
