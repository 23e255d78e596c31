import { element } from "./elements.ts";
import type { Talk, TalkMode } from "./talk.ts";

const button = element("talk", HTMLButtonElement);
const label = element("talk-label", HTMLElement);
const openButton = element("open", HTMLButtonElement);
const level = element("level", HTMLElement);

/** The button and the space bar that are held, and the one that opens the microphone. */
export function listenForTalk(talk: Talk): void {
  // What presses without holding, such as a screen reader, begins with one click and ends with another.
  button.addEventListener("click", ({ detail }) => {
    if (detail !== 0) return;
    if (talk.mode === "held") talk.release();
    else void talk.hold();
  });
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    void talk.hold();
  });
  for (const end of ["pointerup", "pointercancel", "blur"]) {
    button.addEventListener(end, () => talk.release());
  }
  button.addEventListener("contextmenu", (event) => event.preventDefault());

  let heldKey: string | null = null;
  document.addEventListener("keydown", (event) => {
    const isOnButton = event.target === button;
    const isTalkKey = event.key === " " || (isOnButton && event.key === "Enter");
    if (!isTalkKey || (!isOnButton && usesKeys(event.target))) return;
    // It would scroll the page.
    event.preventDefault();
    if (event.repeat || heldKey !== null) return;
    heldKey = event.key;
    void talk.hold();
  });
  const letGo = () => {
    if (heldKey === null) return;
    heldKey = null;
    talk.release();
  };
  document.addEventListener("keyup", (event) => {
    if (event.key !== heldKey) return;
    // It would be a click as well.
    event.preventDefault();
    letGo();
  });
  // Keys that are let go elsewhere are not told of.
  window.addEventListener("blur", letGo);

  openButton.addEventListener("click", () => {
    if (openButton.getAttribute("aria-pressed") === "true") talk.stop();
    else void talk.listen();
  });
}

export function showTalkMode(mode: TalkMode, isHearing: boolean): void {
  const isHeld = mode === "held";
  button.classList.toggle("recording", isHeld);
  label.textContent = isHeld ? "Let go to end" : "Hold to talk";
  openButton.setAttribute("aria-pressed", String(mode === "open"));
  level.parentElement?.classList.toggle("hearing", isHearing);
}

/** @param value 0..1 */
export function showLevel(value: number): void {
  level.style.transform = `scaleX(${value.toFixed(3)})`;
}

/** The space bar is theirs. */
function usesKeys(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, input, select, textarea, a") !== null;
}
