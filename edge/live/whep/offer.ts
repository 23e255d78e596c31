import { RequestError } from "../../http/request-error.ts";

/** A browser's offer has 5 to 10 KB. */
export const MAX_OFFER_CHARACTERS = 65_536;
const MAX_SECTIONS = 16;

/** RFC 8285 header extensions that are sent where the receiver takes them. */
const SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid";

/** profile_idc and constraints that a decoder may have for our Constrained Baseline, dearest first. */
const PROFILES = ["42e0", "42c0", "4200", "4d", "58", "64"];

/** What an offered medium is answered with. */
export interface OfferedMedium {
  readonly kind: "video" | "audio";
  readonly mid: string;
  readonly payloadType: number;
  /** Parameters of the format, as offered. */
  readonly parameters: string;
  /** For retransmissions (RFC 4588); null when none are taken. */
  readonly retransmissionType: number | null;
  /** Kinds of RTCP feedback that both sides know. */
  readonly feedback: readonly string[];
  /** Ids of header extensions (RFC 8285); null where the receiver takes none. */
  readonly sendTimeId: number | null;
  readonly midId: number | null;
}

/** An m= line that is answered with port 0. */
export interface RefusedMedium {
  readonly kind: "refused";
  readonly mid: string;
  /** The m= line without its port. */
  readonly media: string;
  readonly protocol: string;
  readonly format: string;
}

/** What a receiver offers, as far as it matters here. */
export interface Offer {
  /** In the order of the m= lines; the first one of video and of audio that fits is taken. */
  readonly media: readonly (OfferedMedium | RefusedMedium)[];
  readonly video: OfferedMedium;
  /** Null when it wants no sound, or none in Opus. */
  readonly audio: OfferedMedium | null;
  /** SHA-256 of its certificate, `AB:CD:...`. */
  readonly fingerprint: string;
  readonly iceUfrag: string;
}

interface Section {
  /** Of the m= line: medium, port, protocol, formats. */
  readonly line: readonly string[];
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads an SDP offer (RFC 8866) of somebody who wants to watch (WHEP). Its
 * candidates are not read: an ICE-lite agent answers checks and makes none.
 * @throws RequestError 400 that says what is wrong; 406 when it has no H.264 for us
 */
export function readOffer(sdp: string): Offer {
  if (sdp.length > MAX_OFFER_CHARACTERS) throw bad("it is too long");
  const [session, ...sections] = split(sdp);
  if (sections.length === 0) throw bad("it has no m= line");
  if (sections.length > MAX_SECTIONS) throw bad(`it has more than ${MAX_SECTIONS} m= lines`);
  const attribute = (name: string) => first(session!, name) ?? first(sections[0]!, name);
  const fingerprint = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(
    attribute("fingerprint") ?? "",
  )?.[1];
  if (!fingerprint) throw bad("it has no a=fingerprint:sha-256");
  const iceUfrag = attribute("ice-ufrag");
  if (!iceUfrag || !attribute("ice-pwd")) throw bad("it has no a=ice-ufrag and a=ice-pwd");
  if (!["actpass", "passive"].includes(attribute("setup") ?? "")) {
    throw bad("its a=setup must be actpass or passive");
  }
  const bundled = (first(session!, "group") ?? "").split(" ").slice(1);
  let video: OfferedMedium | null = null;
  let audio: OfferedMedium | null = null;
  const media = sections.map((section) => {
    const mid = first(section, "mid");
    if (mid === null || !/^[\x21-\x7e]{1,16}$/.test(mid)) throw bad("an m= line has no a=mid");
    const [kind, port] = section.line;
    const isWanted = port !== "0" && bundled.includes(mid) && wantsMedia(section);
    if (kind === "video" && isWanted && !video) {
      video = videoOf(section, mid);
      return video;
    }
    if (kind === "audio" && isWanted && !audio) {
      audio = audioOf(section, mid);
      if (audio) return audio;
    }
    return refused(section, mid);
  });
  if (!video) {
    throw bad("it asks for no video: an m=video line with a=recvonly in a=group:BUNDLE is needed");
  }
  return { media, video, audio, fingerprint: fingerprint.toUpperCase(), iceUfrag };
}

function videoOf(section: Section, mid: string): OfferedMedium {
  const formats = payloadTypes(section, /^H264\/90000$/i)
    .map((payloadType) => ({ payloadType, parameters: parametersOf(section, payloadType) }))
    .filter(({ parameters }) => parameterOf(parameters, "packetization-mode") === "1")
    .map((format) => {
      // Without the parameter it is Baseline (RFC 6184, 8.1).
      const profile = parameterOf(format.parameters, "profile-level-id")?.toLowerCase() ?? "4200";
      return { ...format, rank: PROFILES.findIndex((known) => profile.startsWith(known)) };
    })
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => a.rank - b.rank);
  const [best] = formats;
  if (!best) {
    throw new RequestError(
      406,
      "the offer has no H.264 with packetization-mode=1, and there is nothing else to send",
    );
  }
  const { payloadType, parameters } = best;
  const retransmissionType = payloadTypes(section, /^rtx\/90000$/i).find(
    (type) => parameterOf(parametersOf(section, type), "apt") === String(payloadType),
  );
  return {
    ...common(section, mid, payloadType),
    kind: "video",
    parameters,
    retransmissionType: retransmissionType ?? null,
    feedback: ["nack", "nack pli", "ccm fir", "goog-remb"].filter((name) =>
      all(section, "rtcp-fb").some(
        (line) => line === `${payloadType} ${name}` || line === `* ${name}`,
      ),
    ),
  };
}

function audioOf(section: Section, mid: string): OfferedMedium | null {
  const [payloadType] = payloadTypes(section, /^opus\/48000\/2$/i);
  if (payloadType === undefined) return null;
  return {
    ...common(section, mid, payloadType),
    kind: "audio",
    parameters: "minptime=20;useinbandfec=1",
    retransmissionType: null,
    feedback: [],
  };
}

function common(section: Section, mid: string, payloadType: number) {
  if (first(section, "rtcp-mux") === null) throw bad(`the m= line ${mid} has no a=rtcp-mux`);
  const idOf = (uri: string) => {
    for (const line of all(section, "extmap")) {
      const match = /^(\d{1,2})(?:\/\w+)? (\S+)/.exec(line);
      const id = Number(match?.[1]);
      // One-byte headers have ids up to 14 (RFC 8285, 4.2).
      if (match?.[2] === uri && id >= 1 && id <= 14) return id;
    }
    return null;
  };
  return { mid, payloadType, sendTimeId: idOf(SEND_TIME_URI), midId: idOf(MID_URI) };
}

/** The a=extmap lines that answer an offer's. */
export function extensionLines({ sendTimeId, midId }: OfferedMedium): string[] {
  const lines: string[] = [];
  if (sendTimeId !== null) lines.push(`a=extmap:${sendTimeId} ${SEND_TIME_URI}`);
  if (midId !== null) lines.push(`a=extmap:${midId} ${MID_URI}`);
  return lines;
}

function refused({ line }: Section, mid: string): RefusedMedium {
  const [media = "", , protocol = "", format = ""] = line;
  return { kind: "refused", mid, media, protocol, format };
}

function wantsMedia({ attributes }: Section): boolean {
  return !attributes.has("sendonly") && !attributes.has("inactive");
}

/** Payload types with this name, in the offer's order of preference. */
function payloadTypes(section: Section, name: RegExp): number[] {
  const named = all(section, "rtpmap").filter((line) => name.test(line.split(" ")[1] ?? ""));
  const types = new Set(named.map((line) => line.split(" ")[0]));
  return section.line
    .slice(3)
    .filter((type) => /^\d{1,3}$/.test(type) && types.has(type))
    .map(Number)
    .filter((type) => type < 128);
}

function parametersOf(section: Section, payloadType: number): string {
  const line = all(section, "fmtp").find((line) => line.startsWith(`${payloadType} `));
  return line?.slice(`${payloadType} `.length).trim() ?? "";
}

function parameterOf(parameters: string, name: string): string | null {
  for (const parameter of parameters.split(";")) {
    const [key, value] = parameter.trim().split("=");
    if (key?.toLowerCase() === name) return value ?? "";
  }
  return null;
}

function all({ attributes }: Section, name: string): readonly string[] {
  return attributes.get(name) ?? [];
}

function first(section: Section, name: string): string | null {
  return all(section, name)[0] ?? null;
}

/** The session's lines, and those of each m= line. */
function split(sdp: string): Section[] {
  const lines = sdp.split(/\r?\n/);
  if (lines[0] !== "v=0") throw bad("it does not begin with v=0");
  const sections: { line: string[]; attributes: Map<string, string[]> }[] = [
    { line: [], attributes: new Map() },
  ];
  for (const line of lines) {
    if (line.startsWith("m=")) {
      const fields = line.slice(2).trim().split(/ +/);
      if (fields.length < 4 || !fields.every((field) => /^[\w./-]+$/.test(field))) {
        throw bad("an m= line is damaged");
      }
      sections.push({ line: fields, attributes: new Map() });
    }
    if (!line.startsWith("a=")) continue;
    const [, name, value = ""] = /^a=([^:]+):?(.*)$/.exec(line) ?? [];
    const { attributes } = sections.at(-1)!;
    if (name) attributes.set(name, [...(attributes.get(name) ?? []), value.trim()]);
  }
  return sections;
}

function bad(why: string): RequestError {
  return new RequestError(400, `the SDP offer cannot be used: ${why}`);
}
