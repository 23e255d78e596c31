import type { SpeechFrame } from "./frame-buffer.ts";
import { multipartBoundary, readMultipart } from "./multipart.ts";
import { isAbort, PlayerError } from "./player-error.ts";

/** What the edge tells of an avatar. */
export interface AvatarInfo {
  readonly id: string;
  readonly title: string;
  /** Of a frame, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Background frames in the loop. */
  readonly frameCount: number;
  /** Changes when the avatar is published anew. */
  readonly version: string;
  /** What `speak` can answer with: `jpeg`, and `h264` where it has been published with video. */
  readonly formats: readonly string[];
}

/** How frames of speech are coded: an image each, or video. */
export type SpeechFormat = "jpeg" | "h264";

export interface SpeakOptions {
  /** Playback position of the first frame. */
  readonly start: number;
  /** Default `jpeg`. */
  readonly format?: SpeechFormat;
  readonly signal: AbortSignal;
}

/** A live session that has been opened: what `AvatarSession` takes. */
export interface OpenedSession {
  readonly id: string;
  /** Of the WebSocket. */
  readonly url: URL;
  readonly token: string;
  /** Where the edge has WebRTC. */
  readonly webRtc?: { readonly url: URL; readonly speakerToken: string };
}

/** A session token, or what gets one: it is asked before each request and may remember what it has. */
export type TokenSource = string | (() => string | Promise<string>);

/** The HTTP interface of an edge. Every method rejects with `PlayerError`, or as aborted. */
export class EdgeApi {
  readonly #base: URL;
  readonly #token: TokenSource | undefined;
  readonly #fetch: typeof fetch;

  /**
   * @param baseUrl Where the edge is; `/v1/...` is taken relative to it.
   * @param token For an edge that asks for one.
   */
  constructor(
    baseUrl: string | URL,
    token?: TokenSource,
    fetchWith: typeof fetch = (...args) => fetch(...args),
  ) {
    this.#base = new URL(baseUrl);
    this.#token = token;
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.#fetch = fetchWith;
  }

  /** All avatars, in the order of the edge. */
  async listAvatars(signal?: AbortSignal): Promise<AvatarInfo[]> {
    const response = await this.#request("v1/avatars", signal ? { signal } : {});
    const body = (await readJson(response)) as { avatars: AvatarInfo[] };
    return body.avatars;
  }

  async avatar(id: string, signal?: AbortSignal): Promise<AvatarInfo> {
    const path = `v1/avatars/${encodeURIComponent(id)}`;
    const response = await this.#request(path, signal ? { signal } : {});
    return (await readJson(response)) as AvatarInfo;
  }

  /** Background frame `index` as JPEG. */
  async idleFrame(avatar: AvatarInfo, index: number, signal: AbortSignal): Promise<Blob> {
    // Frames are cached for ever, so the address has to change with the version.
    const path = `v1/avatars/${encodeURIComponent(avatar.id)}/frames/${index}.jpg?v=${avatar.version}`;
    const response = await this.#request(path, { signal });
    try {
      return await response.blob();
    } catch (cause) {
      throw isAbort(cause) ? cause : unreachable(cause);
    }
  }

  /**
   * Lets the avatar speak.
   * @param wav The speech, `audio/wav`.
   * @returns The frames as they are made.
   */
  async speak(
    id: string,
    wav: Blob,
    { start, format = "jpeg", signal }: SpeakOptions,
  ): Promise<AsyncGenerator<SpeechFrame, void, void>> {
    const path = `v1/avatars/${encodeURIComponent(id)}/speak?format=${format}&start=${start}`;
    const response = await this.#request(path, {
      method: "POST",
      headers: { "Content-Type": "audio/wav" },
      body: wav,
      signal,
    });
    const boundary = multipartBoundary(response.headers.get("content-type"));
    if (!boundary || !response.body) {
      await response.body?.cancel();
      throw new PlayerError(
        "broken_stream",
        "The answer holds no frames. Is this a mouthpiece edge?",
      );
    }
    return readFrames(response.body, boundary);
  }

  /** Opens a live session. Whoever opens it should join it within two minutes. */
  async openSession(id: string, signal?: AbortSignal): Promise<OpenedSession> {
    const path = `v1/avatars/${encodeURIComponent(id)}/sessions`;
    const response = await this.#request(path, { method: "POST", ...(signal && { signal }) });
    const opened = (await readJson(response)) as {
      id: string;
      token: string;
      speakerToken: string;
      urls: { socket: string; whep?: string };
    };
    const { urls, token, speakerToken } = opened;
    // An edge may lie below a path, which the edge itself does not know of.
    const at = (url: string) => new URL(url.replace(/^\//, ""), this.#base);
    return {
      id: opened.id,
      url: at(urls.socket),
      token,
      ...(urls.whep !== undefined && { webRtc: { url: at(urls.whep), speakerToken } }),
    };
  }

  async #authorization(): Promise<Record<string, string>> {
    const source = this.#token;
    if (source === undefined) return {};
    const token = typeof source === "string" ? source : await source();
    return { Authorization: `Bearer ${token}` };
  }

  async #request(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    const headers = { ...init.headers, ...(await this.#authorization()) };
    try {
      response = await this.#fetch(new URL(path, this.#base), { ...init, headers });
    } catch (cause) {
      throw isAbort(cause) ? cause : unreachable(cause);
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    throw refusal(text, `The server answered ${response.status}.`, response.status);
  }
}

async function* readFrames(
  body: ReadableStream<Uint8Array>,
  boundary: string,
): AsyncGenerator<SpeechFrame, void, void> {
  try {
    for await (const part of readMultipart(body, boundary)) {
      const type = part.headers.get("content-type") ?? "image/jpeg";
      // The status has long been sent when rendering fails midway.
      if (type.startsWith("application/problem+json")) {
        const text = new TextDecoder().decode(part.body);
        throw refusal(text, "The server could not go on.", undefined);
      }
      yield {
        number: numberHeader(part.headers, "frame-number"),
        timeMs: numberHeader(part.headers, "frame-time"),
        backgroundIndex: numberHeader(part.headers, "background-index"),
        data: part.body,
        isKeyFrame: type !== "video/h264" || part.headers.get("key-frame") === "1",
      };
    }
  } catch (cause) {
    if (isAbort(cause) || cause instanceof PlayerError) throw cause;
    throw new PlayerError(
      "broken_stream",
      "The connection was lost before the speech was complete. Try again.",
      { cause },
    );
  }
}

function numberHeader(headers: Headers, name: string): number {
  const text = headers.get(name);
  const value = Number(text);
  if (text && Number.isFinite(value)) return value;
  throw new PlayerError("broken_stream", `A frame has no ${name}. Is this a mouthpiece edge?`);
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    if (isAbort(cause)) throw cause;
    throw new PlayerError("broken_stream", "The answer is not JSON. Is this a mouthpiece edge?", {
      cause,
    });
  }
}

/** An RFC 9457 problem becomes an error with its `detail`. */
function refusal(text: string, otherwise: string, status: number | undefined): PlayerError {
  let problem: { detail?: unknown; title?: unknown; requestId?: unknown } = {};
  try {
    problem = Object(JSON.parse(text));
  } catch {
    // A proxy in between answers as it likes.
  }
  const { detail, title, requestId } = problem;
  const said = [detail, title].find((value) => typeof value === "string" && value !== "");
  return new PlayerError("refused", typeof said === "string" ? said : otherwise, {
    ...(status === undefined ? {} : { status }),
    ...(typeof requestId === "string" ? { requestId } : {}),
  });
}

function unreachable(cause: unknown): PlayerError {
  return new PlayerError(
    "unreachable",
    "The server cannot be reached. Check the connection and try again.",
    { cause },
  );
}
