import { EdgeApi, PlayerError } from "../index.ts";
import { Credential } from "./credential.ts";
import { element, textElement } from "./elements.ts";
import { listenForFiles } from "./files.ts";
import { noticeOfError } from "./notice.ts";
import { NoticeBoard } from "./notice-board.ts";
import { snippet } from "./snippet.ts";
import { Talk } from "./talk.ts";
import { listenForTalk, showLevel, showTalkMode } from "./talk-controls.ts";
import type { Numbers, VoiceState } from "./voice.ts";
import { needsToken, Voices } from "./voices.ts";

const STATE_TEXTS: Readonly<Record<VoiceState | "listening" | "locked" | "error", string>> = {
  loading: "Connecting",
  idle: "Ready",
  listening: "Listening",
  waiting: "One moment",
  speaking: "Speaking",
  reconnecting: "Reconnecting",
  ended: "Ended",
  locked: "Locked",
  error: "Out of order",
};

const stage = element("stage", HTMLElement);
const canvas = element("canvas", HTMLCanvasElement);
const stateText = element("state", HTMLElement);
const signIn = element("sign-in", HTMLFormElement);
const tokenInput = element("token", HTMLInputElement);
const select = element("avatars", HTMLSelectElement);
const numbersList = element("numbers", HTMLElement);

const parameters = new URLSearchParams(location.search);
const wantsClips = parameters.has("clips");
const credential = new Credential();
const openApi = () => new EdgeApi(location.origin, credential.value ?? undefined);
const board = new NoticeBoard(() => void (select.value ? show() : start()));

let state: VoiceState | "locked" | "error" = "loading";
let isHearing = false;
let isSayingRecording = false;

const voices = new Voices({
  canvas,
  data: stage.dataset,
  api: openApi,
  token: () => credential.value,
  wantsClips,
  listener: {
    onState: (next) => {
      state = next;
      if (next === "ended") talk.stop();
      if (next === "speaking") board.speechBegins();
      showState();
    },
    onNumbers: showNumbers,
    onNotice: (notice) => board.show(notice, voices.current === null),
  },
  onError: fail,
});
const talk = new Talk({
  voice: async () => {
    board.clear();
    const voice = await getVoice();
    // What is heard now is meant to be answered, not what was chosen before.
    if (isSayingRecording) voice?.interrupt();
    return voice;
  },
  onMode: (mode, hears) => {
    isHearing = hears;
    showTalkMode(mode, hears);
    showState();
  },
  onLevel: showLevel,
  onError: report,
});

/** Listening is what somebody does who neither speaks nor is somewhere else. */
function showState(): void {
  const shown = isHearing && (state === "idle" || state === "waiting") ? "listening" : state;
  stage.dataset.state = shown;
  if (stateText.textContent !== STATE_TEXTS[shown]) stateText.textContent = STATE_TEXTS[shown];
  if (state === "idle") isSayingRecording = false;
}

function showNumbers(numbers: Numbers): void {
  const cells = numbers.map(([name, value]) => {
    const cell = document.createElement("div");
    cell.append(textElement("dt", name), textElement("dd", value));
    return cell;
  });
  numbersList.replaceChildren(...cells);
}

function report(error: unknown): void {
  if (needsToken(error)) askForToken();
  board.show(noticeOfError(error));
  if (!(error instanceof PlayerError)) reportError(error);
}

/** There is nothing to be seen. */
function fail(error: unknown): void {
  state = needsToken(error) ? "locked" : "error";
  showState();
  report(error);
}

/** Asks for a token, and starts again with it. */
function askForToken(): void {
  signIn.hidden = false;
  tokenInput.focus();
}

async function getVoice() {
  if (voices.current?.state === "ended") board.reset();
  return voices.get();
}

async function say(find: () => Promise<Blob>): Promise<void> {
  board.clear();
  if (talk.mode === "held") talk.stop();
  try {
    const [voice, audio] = await Promise.all([getVoice(), find()]);
    if (!voice) return;
    isSayingRecording = true;
    await voice.say(audio);
  } catch (error) {
    report(error);
  }
}

async function fetchSample(): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch("/demo/sample.wav");
    if (response.ok) return await response.blob();
  } catch (cause) {
    throw new PlayerError("unreachable", "The server cannot be reached.", { cause });
  }
  throw new PlayerError("refused", "This server has no sample. Choose an audio file instead.");
}

function interrupt(): void {
  board.clear();
  isSayingRecording = false;
  talk.interrupt();
  voices.current?.interrupt();
}

async function show(): Promise<void> {
  board.reset();
  talk.stop();
  canvas.setAttribute("aria-label", select.selectedOptions[0]?.text ?? "The avatar");
  await voices.show(select.value);
  const kind = wantsClips ? "clips" : "live";
  element("snippet", HTMLElement).textContent = snippet(kind, location.origin, select.value);
}

async function start(): Promise<void> {
  board.reset();
  try {
    const avatars = await openApi().listAvatars();
    const [first] = avatars;
    if (!first) throw new PlayerError("refused", "This server has no avatars yet: import one.");
    const wanted = parameters.get("avatar");
    select.replaceChildren(...avatars.map(({ id, title }) => new Option(title, id)));
    select.value = avatars.some(({ id }) => id === wanted) ? (wanted ?? first.id) : first.id;
    element("choice", HTMLElement).hidden = avatars.length < 2;
    await show();
  } catch (error) {
    fail(error);
  }
}

function listen(): void {
  listenForTalk(talk);
  listenForFiles(stage, (file) => void say(async () => file));
  signIn.addEventListener("submit", (event) => {
    event.preventDefault();
    credential.value = tokenInput.value.trim();
    tokenInput.value = "";
    signIn.hidden = true;
    void start();
  });
  select.addEventListener("change", () => void show());
  element("sample", HTMLButtonElement).addEventListener("click", () => void say(fetchSample));
  element("stop", HTMLButtonElement).addEventListener("click", interrupt);
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") interrupt();
  });
  // Else the space bar would press it again instead of talking.
  document.addEventListener("click", ({ target, detail }) => {
    const isPointer = detail > 0;
    if (isPointer && target instanceof Element) target.closest("button")?.blur();
  });
  const volume = element("volume", HTMLInputElement);
  // Some browsers keep it when the page is loaded again.
  voices.volume = volume.valueAsNumber;
  volume.addEventListener("input", () => {
    voices.volume = volume.valueAsNumber;
  });
  const copyButton = element("copy", HTMLButtonElement);
  copyButton.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element("snippet", HTMLElement).textContent ?? "");
    copyButton.textContent = "Copied";
  });
  // The session would go on for half a minute, and count.
  window.addEventListener("pagehide", () => voices.close());
  window.addEventListener("pageshow", ({ persisted }) => {
    if (persisted) void show();
  });
  const other = element("other", HTMLAnchorElement);
  if (wantsClips) {
    parameters.delete("clips");
    other.textContent = "Live session";
    element("hint-mode", HTMLElement).textContent =
      "In clips it repeats what you have said when you let go.";
    element("open", HTMLButtonElement).hidden = true;
  } else {
    parameters.set("clips", "");
  }
  const query = String(parameters).replace("clips=", "clips");
  other.href = query === "" ? "/" : `/?${query}`;
}

listen();
void start();
