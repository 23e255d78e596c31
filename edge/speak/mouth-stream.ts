import type { AvatarSummary } from "../../avatar/manifest.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { CallOptions, CoreClient, MouthRegion } from "../core/core-client.ts";
import type { SpeechWindow } from "./speech-windows.ts";

/** The next window is asked for when so many frames of the current one are left. */
const AHEAD_FRAMES = 8;

/**
 * The mouths of an utterance in order, with the next window under way before
 * the current one is through, so that the core does not wait for us.
 *
 * @param start playback position of the first frame
 */
export async function* streamMouths(
  core: CoreClient,
  avatar: AvatarSummary,
  windows: AsyncGenerator<SpeechWindow>,
  start: number,
  options: CallOptions,
): AsyncGenerator<MouthRegion> {
  // Ends the calls that are under way when the reader leaves the loop.
  const leaving = new AbortController();
  const signal = AbortSignal.any([options.signal, leaving.signal]);
  const open = async (): Promise<OpenWindow | null> => {
    const { done, value: window } = await windows.next();
    if (done) return null;
    const indices = Array.from({ length: window.frames }, (_, i) =>
      backgroundIndex(start + window.firstFrame + i, avatar.frameCount),
    );
    const call = {
      avatarId: avatar.id,
      version: avatar.version,
      samples: window.samples,
      start: window.start,
      utteranceSamples: window.utteranceSamples,
      firstFrame: window.firstFrame,
      backgroundIndices: indices,
    };
    const mouths = core.inferSpeech(call, { ...options, signal })[Symbol.asyncIterator]();
    const first = mouths.next();
    return { mouths, first: handled(first), frames: window.frames };
  };

  let current = await open();
  try {
    while (current) {
      let following: Promise<OpenWindow | null> | null = null;
      let step = await current.first;
      for (let left = current.frames - 1; !step.done; left--) {
        if (left <= AHEAD_FRAMES) following ??= handled(open());
        yield step.value;
        step = await current.mouths.next();
      }
      current = await (following ?? open());
    }
  } finally {
    leaving.abort();
    // Not waited for: speech that has fallen silent would hold up who leaves. Whoever
    // gave it ends it.
    windows.return(undefined).catch(() => {});
  }
}

interface OpenWindow {
  readonly mouths: AsyncIterator<MouthRegion>;
  readonly first: Promise<IteratorResult<MouthRegion>>;
  readonly frames: number;
}

/** A promise that may fail before anybody waits for it; the one who does still sees it. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
