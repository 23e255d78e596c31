import * as z from "zod";

/** Of this protocol; raised when a client of today could not follow. */
export const PROTOCOL_VERSION = 1;
/** A binary message: four seconds of speech. */
export const MAX_BINARY_BYTES = 128 * 1024 + 16;
export const MAX_TEXT_CHARACTERS = 8192;

const messages = {
  join: z.object({
    type: z.literal("join"),
    protocol: z.int(),
    /** Of `POST .../sessions`. */
    token: z.string().min(1).max(4096),
    /** What the client can show, the best first. */
    video: z.array(z.string().max(32)).max(8).default(["h264", "jpeg"]),
    /** What the client can play, the best first. */
    audio: z.array(z.string().max(32)).max(8).default(["opus", "pcm"]),
  }),
  ack: z.object({
    type: z.literal("ack"),
    /** Of the last binary message that has arrived. */
    sequence: z.int().min(0),
  }),
  key_frame: z.object({ type: z.literal("key_frame") }),
  bitrate: z.object({
    type: z.literal("bitrate"),
    /** Of the mouth's video; null: as many as it takes. */
    kilobits: z.number().min(10).max(100_000).nullable(),
  }),
  speech_end: z.object({ type: z.literal("speech_end"), epoch: z.int().min(0).optional() }),
  interrupt: z.object({ type: z.literal("interrupt") }),
  ping: z.object({ type: z.literal("ping"), id: z.int().optional() }),
  leave: z.object({ type: z.literal("leave") }),
};

type Messages = typeof messages;
export type ClientMessage = { [Type in keyof Messages]: z.infer<Messages[Type]> }[keyof Messages];

/** @returns the message, or what is wrong with it */
export function parseClientMessage(text: string): ClientMessage | { readonly wrong: string } {
  if (text.length > MAX_TEXT_CHARACTERS) {
    return { wrong: `a text message has at most ${MAX_TEXT_CHARACTERS} characters` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { wrong: "a text message is JSON" };
  }
  const { type } = (value ?? {}) as { type?: unknown };
  if (typeof type !== "string" || !Object.hasOwn(messages, type)) {
    const known = Object.keys(messages).join(", ");
    return { wrong: `${JSON.stringify(type)?.slice(0, 40)} is no type: use ${known}` };
  }
  const result = messages[type as keyof Messages].safeParse(value);
  if (result.success) return result.data as ClientMessage;
  const [issue] = result.error.issues;
  return { wrong: `${type}: ${issue?.path.join(".") || "the message"}: ${issue?.message}` };
}
