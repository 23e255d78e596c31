import { PlayerError } from "../player-error.ts";

export interface WhepPeerOptions {
  /** `urls.whep` of the session. */
  readonly url: URL;
  /** The session's viewer token. */
  readonly token: string;
  /** The connection has failed, after it was there. */
  readonly onLost: () => void;
}

/** Sound and picture of a session by WebRTC: a peer connection that receives, made by WHEP. */
export class WhepPeer {
  readonly stream = new MediaStream();
  readonly #options: WhepPeerOptions;
  readonly #peer: RTCPeerConnection;
  #location: URL | null = null;
  #iceServers: readonly RTCIceServer[] = [];
  #isClosed = false;
  #hasConnected = false;

  private constructor(options: WhepPeerOptions, iceServers: readonly RTCIceServer[]) {
    this.#options = options;
    this.#peer = new RTCPeerConnection({ iceServers: [...iceServers] });
  }

  /**
   * Resolves when media can come.
   * @throws PlayerError `refused`, `unreachable`
   */
  static async connect(
    options: WhepPeerOptions,
    iceServers: readonly RTCIceServer[] = [],
  ): Promise<WhepPeer> {
    const peer = new WhepPeer(options, iceServers);
    try {
      await peer.#connect();
      return peer;
    } catch (error) {
      peer.close();
      // The servers come with the answer, when their candidates are not gathered any more.
      const mayRelay = iceServers.length === 0 && peer.#iceServers.length > 0;
      if (!mayRelay) throw error;
      return WhepPeer.connect(options, peer.#iceServers);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peer.close();
    if (!this.#location) return;
    const headers = { authorization: `Bearer ${this.#options.token}` };
    // Whether it arrives or not, the edge forgets who is not heard of.
    fetch(this.#location, { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }

  /** What has come in of a kind, as WebRTC counts it. */
  async inbound(kind: "audio" | "video"): Promise<Readonly<Record<string, unknown>>> {
    for (const stats of (await this.#peer.getStats()).values()) {
      if (stats.type === "inbound-rtp" && stats.kind === kind) return stats;
    }
    return {};
  }

  async #connect(): Promise<void> {
    const peer = this.#peer;
    const connected = Promise.withResolvers<void>();
    peer.ontrack = ({ track }) => this.stream.addTrack(track);
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "connected") {
        this.#hasConnected = true;
        connected.resolve();
      }
      if (peer.connectionState !== "failed") return;
      connected.reject(unreachable());
      if (!this.#isClosed && this.#hasConnected) this.#options.onLost();
    };
    const timer = setTimeout(() => connected.reject(unreachable()), CONNECT_LIMIT_MS);
    try {
      peer.addTransceiver("video", { direction: "recvonly" });
      peer.addTransceiver("audio", { direction: "recvonly" });
      await peer.setLocalDescription(await peer.createOffer());
      await this.#offer();
      await connected.promise;
    } finally {
      clearTimeout(timer);
      connected.promise.catch(() => {});
    }
  }

  async #offer(): Promise<void> {
    const { url, token } = this.#options;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/sdp" };
    const body = this.#peer.localDescription?.sdp ?? "";
    const signal = AbortSignal.timeout(CONNECT_LIMIT_MS);
    const response = await fetch(url, { method: "POST", headers, body, signal }).catch((cause) => {
      throw unreachable(cause);
    });
    const answer = await response.text();
    if (response.status !== 201) {
      const message = `The edge does not send by WebRTC: ${response.status}.`;
      throw new PlayerError("refused", message, { status: response.status });
    }
    const location = response.headers.get("location");
    if (location) this.#location = new URL(location, url);
    this.#iceServers = readIceServers(response.headers.get("link"));
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
  }
}

/**
 * The ICE servers that a WHEP answer names (draft-ietf-wish-whep, 4.6):
 * `<turn:host>; rel="ice-server"; username="..."; credential="..."`, separated by commas.
 */
export function readIceServers(links: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, urls, rest] of (links ?? "").matchAll(/<((?:stun|turns?):[^>]*)>([^<]*)/g)) {
    if (!urls || !/;\s*rel="?ice-server"?/i.test(rest ?? "")) continue;
    const parameter = (name: string) =>
      new RegExp(`;\\s*${name}="([^"]*)"`, "i").exec(rest ?? "")?.[1];
    const [username, credential] = [parameter("username"), parameter("credential")];
    servers.push({ urls, ...(username && { username }), ...(credential && { credential }) });
  }
  return servers;
}

function unreachable(cause?: unknown): PlayerError {
  return new PlayerError("unreachable", "The edge cannot be reached by WebRTC.", { cause });
}

/** ICE checks take a second or two; then the WebSocket is the better way. */
const CONNECT_LIMIT_MS = 6000;
