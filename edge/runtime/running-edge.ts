/** An edge that serves. */
export interface RunningEdge {
  readonly url: string;
  /** Whether the core answers and can serve. @throws CoreCallError */
  checkCore(signal: AbortSignal): Promise<void>;
  /** Takes no new requests, and ends those under way within a limit. */
  stop(): Promise<void>;
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
