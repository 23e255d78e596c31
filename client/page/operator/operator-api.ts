import type { OperatorSnapshot } from "../../../edge/operator/snapshot.ts";
import { readEvents } from "./event-reader.ts";

/** Longest wait for an answer, and for the next event. */
const LIMIT_MS = 15_000;

/** The edge has said no, and how. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  /** Of HTTP. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What an operator's page asks of its edge. The key is in no URL. */
export class OperatorApi {
  readonly #key: string | null;

  /** @param key null where the edge asks for none */
  constructor(key: string | null) {
    this.#key = key;
  }

  /** Snapshots as they come, until the edge ends it. @throws RefusedError, and Error when it falls silent */
  async *watch(): AsyncGenerator<OperatorSnapshot> {
    const gone = new AbortController();
    let timer = setTimeout(() => gone.abort(), LIMIT_MS);
    try {
      const response = await this.#fetch("/v1/operator/events", { signal: gone.signal });
      if (!response.body) throw new Error("the edge sent nothing");
      for await (const data of readEvents(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => gone.abort(), LIMIT_MS);
        yield JSON.parse(data) as OperatorSnapshot;
      }
    } finally {
      clearTimeout(timer);
      gone.abort();
    }
  }

  /** One that has ended already is not missed. @throws RefusedError */
  async endSession(id: string): Promise<void> {
    const path = `/v1/sessions/${encodeURIComponent(id)}`;
    const signal = AbortSignal.timeout(LIMIT_MS);
    try {
      await this.#fetch(path, { method: "DELETE", signal });
    } catch (error) {
      if (!(error instanceof RefusedError) || error.status !== 404) throw error;
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = this.#key === null ? {} : { authorization: `Bearer ${this.#key}` };
    const response = await fetch(path, { ...init, headers, cache: "no-store" });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { detail?: unknown };
    const detail = typeof problem.detail === "string" ? problem.detail : response.statusText;
    throw new RefusedError(response.status, detail);
  }
}
