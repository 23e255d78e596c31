import { element } from "./elements.ts";
import type { Notice } from "./notice.ts";

const board = element("message", HTMLElement);
const text = element("message-text", HTMLElement);
const retryButton = element("retry", HTMLButtonElement);
const hint = element("hint", HTMLElement);

/** The one place in which the page says what is the matter; otherwise there is a hint. */
export class NoticeBoard {
  /** What is said as long as there is nothing newer. */
  #standing: Notice | null = null;
  #shown: Notice | null = null;

  constructor(onRetry: () => void) {
    retryButton.addEventListener("click", onRetry);
  }

  /** @param isStanding It is there again when what comes after it has been taken away */
  show(notice: Notice, isStanding = false): void {
    if (isStanding) this.#standing = notice;
    this.#set(notice);
  }

  /** Something is being said. */
  speechBegins(): void {
    if (this.#shown?.isOverWithSpeech) this.clear();
  }

  /** What was said is over. */
  clear(): void {
    this.#set(this.#standing);
  }

  /** So is what was standing. */
  reset(): void {
    this.#standing = null;
    this.#set(null);
  }

  #set(notice: Notice | null): void {
    this.#shown = notice;
    board.hidden = notice === null;
    hint.hidden = notice !== null;
    if (!notice) return;
    board.classList.toggle("calm", !notice.isError);
    // Said again only where it is new.
    if (text.textContent !== notice.text) text.textContent = notice.text;
    retryButton.hidden = !notice.canRetry;
  }
}
