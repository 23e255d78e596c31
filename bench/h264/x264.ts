import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { planesOf } from "../../edge/compositor/h264/picture.ts";
import type { Clip } from "./clips.ts";

/** A stream that x264 made of whole frames. */
export interface X264Stream {
  readonly stream: Uint8Array;
  /** CPU time of one frame, beyond what ffmpeg takes to read it. */
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
  const out = join(folder, "x264.h264");
  const args = ["-c:v", "libx264", "-preset", preset, "-tune", "zerolatency"];
  args.push("-profile:v", "baseline", "-crf", String(crf), "-g", String(keyFrames));
  args.push("-keyint_min", String(keyFrames), "-sc_threshold", "0", "-threads", "1", "-y", out);
  const reading = await feed(clip, ["-f", "null", "-"]);
  const coding = await feed(clip, args);
  const seconds = Math.max(0, coding - reading);
  return {
    stream: await readFile(out),
    msPerFrame: (seconds * 1000) / clip.background.order.length,
  };
}

/**
 * Gives ffmpeg a clip's frames.
 * @returns seconds of CPU time that it took
 */
async function feed(clip: Clip, output: readonly string[]): Promise<number> {
  const { width, height, order } = clip.background;
  const args = ["-loglevel", "info", "-benchmark", "-f", "rawvideo", "-pix_fmt", "yuv420p"];
  args.push("-s", `${width}x${height}`, "-r", String(clip.framesPerSecond), "-i", "-", ...output);
  const child = spawn("ffmpeg", args, { stdio: ["pipe", "ignore", "pipe"] });
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
  if ((await ended) !== 0) throw new Error(`ffmpeg failed: ${log}`);
  const [, user, system] = /utime=([\d.]+)s stime=([\d.]+)s/.exec(log) ?? [];
  return Number(user) + Number(system);
}
