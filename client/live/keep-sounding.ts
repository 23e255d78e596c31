/**
 * Makes a context run, and run again: browsers let no sound out before a click or
 * key press, stop it for phone calls, and sometimes when the loudspeaker changes.
 * @returns Ends the care.
 */
export function keepSounding(context: AudioContext): () => void {
  const abort = new AbortController();
  const { signal } = abort;
  const resume = () => {
    // Stays open while the browser waits for the user; rejects once it is closed.
    if (context.state !== "running") context.resume().catch(() => {});
  };
  for (const kind of ["pointerdown", "pointerup", "keydown", "touchend"]) {
    document.addEventListener(kind, resume, { signal, capture: true, passive: true });
  }
  document.addEventListener("visibilitychange", resume, { signal });
  navigator.mediaDevices?.addEventListener("devicechange", resume, { signal });
  context.addEventListener("statechange", resume, { signal });
  resume();
  return () => abort.abort();
}
