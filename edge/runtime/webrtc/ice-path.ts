/** One way to a peer: a pair of addresses over UDP, or a connection over TCP. */
export interface IcePath {
  /** No other path has it. */
  readonly key: string;
  /** The peer's, as we see it. */
  readonly address: string;
  readonly port: number;
  /** Does not throw; what cannot be sent is lost. */
  send(data: Uint8Array): void;
}
