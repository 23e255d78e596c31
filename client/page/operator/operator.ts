import { element } from "../elements.ts";
import { History } from "./history.ts";
import { OperatorApi, RefusedError } from "./operator-api.ts";
import { openTables } from "./tables.ts";
import { showTiles } from "./tiles.ts";

/** For the tab alone: gone when it is closed, and in no URL. */
const STORED_KEY = "mouthpiece-operator-key";
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;

const link = element("link", HTMLElement);
const linkText = element("link-text", HTMLElement);
const message = element("message", HTMLElement);
const board = element("board", HTMLElement);
const signIn = element("sign-in", HTMLFormElement);
const signOut = element("sign-out", HTMLButtonElement);
const keyInput = element("key", HTMLInputElement);
const endDialog = element("end-dialog", HTMLDialogElement);

let api = openApi();
/** Counts keys: what was asked with another one is nobody's any more. */
let attempt = 0;
let ending = "";
const showTables = openTables(endButton);

function openApi(): OperatorApi {
  return new OperatorApi(sessionStorage.getItem(STORED_KEY));
}

/** Follows the edge, and comes back to it when the connection breaks. */
async function follow(): Promise<void> {
  const own = ++attempt;
  const history = new History();
  let pauseMs = FIRST_PAUSE_MS;
  tell("connecting", "Connecting");
  while (own === attempt) {
    try {
      for await (const snapshot of api.watch()) {
        if (own !== attempt) return;
        pauseMs = FIRST_PAUSE_MS;
        history.add(snapshot);
        showTiles(snapshot, history);
        showTables(snapshot);
        if (board.hidden) opened();
        tell("live", "Live");
        document.title = `${snapshot.live.count} live - mouthpiece`;
      }
    } catch (error) {
      if (own !== attempt) return;
      if (error instanceof RefusedError && (error.status === 401 || error.status === 403)) {
        askForKey(error.message);
        return;
      }
      if (error instanceof RefusedError) report(error.message);
    }
    if (own !== attempt) return;
    tell("broken", "No connection, trying again");
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

function opened(): void {
  board.hidden = false;
  signIn.hidden = true;
  message.hidden = true;
  signOut.hidden = sessionStorage.getItem(STORED_KEY) === null;
}

/** @param why what the edge said to the key that there was */
function askForKey(why: string): void {
  const hadKey = sessionStorage.getItem(STORED_KEY) !== null;
  sessionStorage.removeItem(STORED_KEY);
  board.hidden = true;
  signIn.hidden = false;
  signOut.hidden = true;
  document.title = "Operator - mouthpiece";
  element("about", HTMLElement).textContent = "";
  tell("locked", "Locked");
  // Who has not tried one yet has done nothing wrong.
  if (hadKey) report(why);
  keyInput.focus();
}

function tell(state: string, text: string): void {
  link.dataset.state = state;
  // Said aloud when it changes, and not each second.
  if (linkText.textContent !== text) linkText.textContent = text;
}

function report(text: string): void {
  message.textContent = text;
  message.hidden = false;
}

function endButton(sessionId: string): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  button.textContent = "End";
  button.setAttribute("aria-label", `End session ${sessionId.slice(0, 8)}`);
  button.addEventListener("click", () => {
    ending = sessionId;
    element("end-text", HTMLElement).textContent =
      `All who watch or speak in ${sessionId} are told that it has ended. This cannot be undone.`;
    endDialog.returnValue = "keep";
    endDialog.showModal();
  });
  return button;
}

async function endSession(sessionId: string): Promise<void> {
  message.hidden = true;
  // The button goes with its row.
  element("sessions-title", HTMLElement).focus();
  try {
    await api.endSession(sessionId);
  } catch (error) {
    report(error instanceof RefusedError ? error.message : "The session could not be ended.");
  }
}

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(STORED_KEY, keyInput.value.trim());
  keyInput.value = "";
  message.hidden = true;
  api = openApi();
  void follow();
});
signOut.addEventListener("click", () => {
  // What is under way is not waited for.
  attempt++;
  sessionStorage.removeItem(STORED_KEY);
  message.hidden = true;
  api = openApi();
  askForKey("");
});
endDialog.addEventListener("close", () => {
  if (endDialog.returnValue === "end") void endSession(ending);
});
void follow();
