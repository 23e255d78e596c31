import {
  AvatarPlayer,
  EdgeApi,
  PlayerError,
  type SpeechAudio,
  type SpeechFormat,
} from "../index.ts";
import type { PlayerState } from "../player-events.ts";
import { Credential } from "./credential.ts";
import { element } from "./elements.ts";
import { Recorder } from "./recorder.ts";

const STATE_TEXTS: Record<PlayerState, string> = {
  loading: "Loading",
  idle: "Ready",
  waiting: "Listening closely",
  speaking: "Speaking",
};
const FORMAT_TEXTS: Record<SpeechFormat, string> = { h264: "H.264", jpeg: "JPEG" };
/** A tap is no recording. */
const MIN_HOLD_MS = 300;

const stage = element("stage", HTMLElement);
const canvas = element("canvas", HTMLCanvasElement);
const stateText = element("state", HTMLElement);
const message = element("message", HTMLElement);
const stopButton = element("stop", HTMLButtonElement);
const talkButton = element("talk", HTMLButtonElement);
const talkLabel = element("talk-label", HTMLElement);
const fileInput = element("file", HTMLInputElement);
const progress = element("progress", HTMLElement);
const numbers = element("numbers", HTMLElement);
const signIn = element("sign-in", HTMLFormElement);
const tokenInput = element("token", HTMLInputElement);

const credential = new Credential();
let api = openApi();
const recorder = new Recorder();
// One for the page: browsers allow few of them.
let audioContext: AudioContext | null = null;
let player: AvatarPlayer | null = null;

function show(avatarId: string): void {
  player?.dispose();
  stage.dataset.state = "loading";
  const shown = new AvatarPlayer(canvas, {
    avatarId,
    baseUrl: location.origin,
    ...(credential.value !== null && { token: credential.value }),
    audioContext: () => {
      audioContext ??= new AudioContext();
      return audioContext;
    },
  });
  player = shown;
  shown.volume = element("volume", HTMLInputElement).valueAsNumber;
  shown.on("statechange", (state) => {
    stage.dataset.state = state;
    stateText.textContent = STATE_TEXTS[state];
    stopButton.disabled = state === "idle" || state === "loading";
  });
  shown.on("avatar", (avatar) => {
    canvas.setAttribute("aria-label", avatar.title);
  });
  shown.on("formatchange", ({ format }) => {
    stage.dataset.format = format;
  });
  shown.on("frame", ({ backgroundIndex, position, speech }) => {
    stage.dataset.background = String(backgroundIndex);
    stage.dataset.position = String(position);
    stage.dataset.frame = speech ? String(speech.number) : "";
    stage.dataset.frameTime = speech ? String(speech.timeMs) : "";
    stage.dataset.audioTime = speech ? String(Math.round(speech.audioTimeMs)) : "";
    stage.dataset.skipped = String(shown.stats.skippedFrames);
    progress.style.transform = `scaleX(${shown.progress})`;
    if (!numbers.hidden) showNumbers(shown);
  });
  shown.on("error", report);
  shown.idle().catch(report);
  element("snippet", HTMLElement).textContent = snippet(avatarId);
}

async function speak(audio: SpeechAudio): Promise<void> {
  message.hidden = true;
  try {
    await player?.speak(audio);
  } catch (error) {
    report(error);
  }
}

function openApi(): EdgeApi {
  return new EdgeApi(location.origin, credential.value ?? undefined);
}

/** Asks for a token, and starts again with it. */
function askForToken(): void {
  signIn.hidden = false;
  tokenInput.focus();
}

function report(error: unknown): void {
  if (error instanceof PlayerError && error.status === 401) askForToken();
  message.textContent =
    error instanceof PlayerError ? error.message : "Something went wrong on this page.";
  message.hidden = false;
  if (!(error instanceof PlayerError)) reportError(error);
}

async function playSample(): Promise<void> {
  let sample: Blob;
  try {
    const response = await fetch("/demo/sample.wav");
    if (!response.ok) throw new PlayerError("refused", "The sample is not there.");
    sample = await response.blob();
  } catch (cause) {
    report(
      cause instanceof PlayerError
        ? cause
        : new PlayerError("unreachable", "The server cannot be reached.", { cause }),
    );
    return;
  }
  await speak(sample);
}

async function holdToTalk(): Promise<void> {
  message.hidden = true;
  player?.stop();
  let startedMs = 0;
  try {
    const recording = await recorder.record(() => {
      startedMs = performance.now();
      talkButton.classList.add("recording");
      talkLabel.textContent = "Listening";
    });
    if (!recording) return;
    if (performance.now() - startedMs < MIN_HOLD_MS) {
      throw new PlayerError("not_audio", "Hold the button while you speak, then let go.");
    }
    restTalkButton();
    await speak(recording);
  } catch (error) {
    report(error);
  } finally {
    restTalkButton();
  }
}

function restTalkButton(): void {
  talkButton.classList.remove("recording");
  talkLabel.textContent = "Hold to speak";
}

function showNumbers(shown: AvatarPlayer): void {
  const { framesPerSecond, skippedFrames, stalls, firstFrameMs, startMs } = shown.stats;
  const { format, bitsPerSecond } = shown.stats;
  const milliseconds = (value: number | null) => (value === null ? "-" : `${Math.round(value)} ms`);
  const rows: [string, string][] = [
    ["frames per second", framesPerSecond.toFixed(0)],
    ["first frame", milliseconds(firstFrameMs)],
    ["sound starts", milliseconds(startMs)],
    ["skipped frames", String(skippedFrames)],
    ["pauses", String(stalls)],
    ["speech as", format === null ? "-" : FORMAT_TEXTS[format]],
    ["picture", bitsPerSecond === 0 ? "-" : `${Math.round(bitsPerSecond / 1000)} kbit/s`],
  ];
  numbers.replaceChildren(
    ...rows.flatMap(([name, value]) => [text("dt", name), text("dd", value)]),
  );
}

function text(tag: string, content: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = content;
  return made;
}

function snippet(avatarId: string): string {
  return `<canvas id="avatar" width="1280" height="720"></canvas>
<button id="talk">Talk</button>
<script type="module">
  import { AvatarPlayer } from "${location.origin}/mouthpiece.js";
  const canvas = document.getElementById("avatar");
  const player = new AvatarPlayer(canvas, { avatarId: "${avatarId}" });
  await player.idle();
  document.getElementById("talk").onclick = async () =>
    player.speak(await (await fetch("speech.wav")).blob());
</script>`;
}

function listen(): void {
  signIn.addEventListener("submit", (event) => {
    event.preventDefault();
    credential.value = tokenInput.value.trim();
    tokenInput.value = "";
    signIn.hidden = true;
    message.hidden = true;
    api = openApi();
    void start();
  });
  const select = element("avatars", HTMLSelectElement);
  select.addEventListener("change", () => show(select.value));
  element("sample", HTMLButtonElement).addEventListener("click", () => void playSample());
  stopButton.addEventListener("click", () => player?.stop());
  element("choose", HTMLButtonElement).addEventListener("click", () => fileInput.click());
  fileInput.addEventListener("change", () => {
    const [file] = fileInput.files ?? [];
    fileInput.value = "";
    if (file) void speak(file);
  });
  element("volume", HTMLInputElement).addEventListener("input", ({ target }) => {
    if (player && target instanceof HTMLInputElement) player.volume = target.valueAsNumber;
  });

  talkButton.addEventListener("pointerdown", (event) => {
    talkButton.setPointerCapture(event.pointerId);
    void holdToTalk();
  });
  for (const end of ["pointerup", "pointercancel", "blur"]) {
    talkButton.addEventListener(end, () => recorder.stop());
  }
  talkButton.addEventListener("keydown", (event) => {
    if (event.repeat || (event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault();
    void holdToTalk();
  });
  talkButton.addEventListener("keyup", () => recorder.stop());
  talkButton.addEventListener("contextmenu", (event) => event.preventDefault());

  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) stage.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("dropping");
    const [file] = event.dataTransfer?.files ?? [];
    if (file) void speak(file);
  });
  document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey }) => {
    if (key !== "i" || ctrlKey || metaKey || target instanceof HTMLInputElement) return;
    numbers.hidden = !numbers.hidden;
  });
  const copyButton = element("copy", HTMLButtonElement);
  copyButton.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element("snippet", HTMLElement).textContent ?? "");
    copyButton.textContent = "Copied";
  });
}

async function showAvatars(): Promise<void> {
  const avatars = await api.listAvatars();
  const [first] = avatars;
  if (!first) throw new PlayerError("refused", "This server has no avatars yet: import one.");
  const wanted = new URLSearchParams(location.search).get("avatar");
  const select = element("avatars", HTMLSelectElement);
  select.replaceChildren(...avatars.map(({ id, title }) => new Option(title, id)));
  select.value = avatars.some(({ id }) => id === wanted) ? (wanted ?? first.id) : first.id;
  element("choice", HTMLElement).hidden = avatars.length < 2;
  show(select.value);
}

async function start(): Promise<void> {
  try {
    await showAvatars();
  } catch (error) {
    const isLocked = error instanceof PlayerError && error.status === 401;
    stage.dataset.state = isLocked ? "locked" : "error";
    stateText.textContent = isLocked ? "Locked" : "Out of order";
    report(error);
  }
}

listen();
void start();
