import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { speak } from "./espeak.ts";
import { LiveSpeaker, type SessionMessage } from "./live-speaker.ts";
import { record } from "./recorder.ts";

/**
 * An agent for a terminal: what is typed is said, an empty line interrupts.
 *
 *     node examples/live-agent/main.ts --avatar demo --record /tmp/frames
 *
 * Speech waits for somebody who watches: the token that is printed is for the
 * page, and `--record` watches by itself.
 */
const { values } = parseArgs({
  options: {
    edge: { type: "string", default: "http://127.0.0.1:8787" },
    avatar: { type: "string", default: "demo" },
    /** API key, where the edge asks for one. */
    key: { type: "string" },
    record: { type: "string" },
    /** Writes WAV; the text comes in by its input. */
    tts: { type: "string", default: "espeak-ng --stdout" },
  },
});

interface Session {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string };
}

const response = await fetch(`${values.edge}/v1/avatars/${values.avatar}/sessions`, {
  method: "POST",
  headers: values.key === undefined ? {} : { authorization: `Bearer ${values.key}` },
});
if (!response.ok) throw new Error(`no session: ${await response.text()}`);
const session = (await response.json()) as Session;
const url = values.edge.replace(/^http/, "ws") + session.urls.socket;
console.log(`session ${session.id}`);
console.log(`token for who watches: ${session.token}`);

const stopRecording = values.record ? await record(url, session.token, values.record) : () => {};
/** Segments that have been opened and not finished. */
let open = 0;
let isDone = false;
const speaker = new LiveSpeaker({ url, token: session.speakerToken, onMessage });
await speaker.joined;

const command = values.tts.split(" ");
let saying = Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") speaker.interrupt();
  else saying = saying.then(() => speaker.say(speak(line, command)));
}
await saying;
isDone = true;
leaveWhenSilent();
console.log(`closed: ${await speaker.closed}`);
stopRecording();

function onMessage(message: SessionMessage): void {
  const { type, segment, playedMs, reason, detail } = message;
  if (type === "segment_opened") open++;
  if (type === "playback_started") console.log(`${segment}: heard`);
  if (type === "playback_finished") {
    console.log(`${segment}: ${reason} after ${playedMs} ms${detail ? `: ${detail}` : ""}`);
    open--;
    leaveWhenSilent();
  }
  if (type === "ending") console.log(`the session ends in ${message.inMs} ms: ${reason}`);
  if (type === "error") console.error(message.message);
}

function leaveWhenSilent(): void {
  // What was sent last may not have been answered yet.
  if (isDone && open === 0) setTimeout(() => open === 0 && speaker.leave(), 200);
}
