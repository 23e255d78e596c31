import { PlayerError } from "../index.ts";

/**
 * Asks for the microphone.
 * @throws PlayerError `no_microphone`, telling what to do about it
 */
export async function openMicrophone(): Promise<MediaStream> {
  try {
    // Not there on pages that are neither https nor localhost.
    if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
    return await navigator.mediaDevices.getUserMedia({
      // The avatar's own voice comes back from the loudspeaker.
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : "";
    const message = MESSAGES[name] ?? "The microphone cannot be used. Try an audio file instead.";
    throw new PlayerError("no_microphone", message, { cause });
  }
}

const MESSAGES: Readonly<Record<string, string>> = {
  NotAllowedError:
    "The microphone is blocked for this page. Allow it in the address bar, then try again.",
  NotFoundError: "There is no microphone. Plug one in, or drop an audio file instead.",
  NotReadableError: "Another program is using the microphone. Close it, then try again.",
  SecurityError: "Browsers give the microphone to https pages and to localhost only.",
};
