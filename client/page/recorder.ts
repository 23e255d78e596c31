import { PlayerError } from "../index.ts";
import { openMicrophone } from "./microphone-access.ts";

/** Longest recording; the button may be held by accident. */
const MAX_RECORDING_MS = 60_000;

/** Records from the microphone while it is wanted. */
export class Recorder {
  #recorder: MediaRecorder | null = null;
  #isWanted = false;

  /**
   * Starts, and resolves with the recording when it has been stopped; null
   * when nothing was recorded.
   * @throws PlayerError `no_microphone`, `not_audio`
   */
  async record(onStart: () => void): Promise<Blob | null> {
    this.#isWanted = true;
    const stream = await openMicrophone();
    try {
      // The button may have been let go while the browser asked.
      if (!this.#isWanted) return null;
      const recorder = new MediaRecorder(stream);
      this.#recorder = recorder;
      const chunks: Blob[] = [];
      recorder.ondataavailable = ({ data }) => chunks.push(data);
      const stopped = new Promise<void>((resolve, reject) => {
        recorder.onstop = () => resolve();
        recorder.onerror = () => reject(new PlayerError("not_audio", "The recording failed."));
      });
      recorder.start();
      onStart();
      const limit = setTimeout(() => this.stop(), MAX_RECORDING_MS);
      await stopped;
      clearTimeout(limit);
      const recording = new Blob(chunks, { type: recorder.mimeType });
      return recording.size > 0 ? recording : null;
    } finally {
      this.#recorder = null;
      for (const track of stream.getTracks()) track.stop();
    }
  }

  stop(): void {
    this.#isWanted = false;
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }
}
