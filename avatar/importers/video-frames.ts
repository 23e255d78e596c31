import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AvatarError } from "../avatar-error.ts";
import type { Rectangle } from "../rectangle.ts";
import { type FrameDataset, readFrameFolder } from "./synctalk.ts";

/** A few minutes of video at the slowest. */
const DECODE_TIMEOUT_MS = 30 * 60_000;
/** Kept of what ffmpeg says. */
const MAX_MESSAGE_CHARS = 2000;

/**
 * The frames of a video, decoded to PNG by ffmpeg, which has to be installed.
 * The files lie in a temporary folder until `close`.
 * @throws AvatarError `invalid_source` when ffmpeg is missing or fails
 */
export async function readVideoFrames(
  video: string,
  rectangleOf: (n: number) => Promise<Rectangle>,
): Promise<FrameDataset> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-frames-"));
  try {
    await decodeVideo(video, folder);
    const dataset = await readFrameFolder(folder, rectangleOf);
    return {
      ...dataset,
      close: () => rm(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function decodeVideo(video: string, folder: string): Promise<void> {
  const arguments_ = ["-nostdin", "-loglevel", "error", "-i", video, "-fps_mode", "passthrough"];
  return new Promise((resolve, reject) => {
    const ffmpeg = spawn("ffmpeg", [...arguments_, join(folder, "%d.png")], {
      stdio: ["ignore", "ignore", "pipe"],
      // Not `timeout`: its timer outlives a command that could not be started.
      signal: AbortSignal.timeout(DECODE_TIMEOUT_MS),
    });
    let message = "";
    ffmpeg.stderr.on("data", (chunk: Buffer) => {
      message = (message + chunk.toString()).slice(-MAX_MESSAGE_CHARS);
    });
    ffmpeg.on("error", (cause) => {
      if (cause.name === "AbortError") {
        reject(new AvatarError("invalid_source", `ffmpeg took too long over ${video}`, { cause }));
        return;
      }
      const advice = `install ffmpeg, or decode the frames yourself: ffmpeg -i ${video} full_body_img/%d.png`;
      reject(
        new AvatarError(
          "invalid_source",
          `ffmpeg cannot be started (${cause.message}): ${advice}`,
          {
            cause,
          },
        ),
      );
    });
    ffmpeg.on("close", (status) => {
      if (status === 0) resolve();
      else {
        const why = message.trim() || `status ${status}`;
        reject(new AvatarError("invalid_source", `ffmpeg cannot decode ${video}: ${why}`));
      }
    });
  });
}
