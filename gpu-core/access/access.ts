import type { Logger } from "../../avatar/logger.ts";
import { isLoopback } from "../../avatar/runtime/loopback.ts";
import { readTlsFiles, type TlsMaterial } from "../../avatar/runtime/tls-files.ts";
import { readTokenFile } from "../../avatar/runtime/token-file.ts";
import type { CoreConfig } from "../config.ts";
import { Tokens } from "./tokens.ts";

type ServerConfig = CoreConfig["server"];

/** Who may call the core, and the certificate it shows; read from files again and again. */
export class Access {
  readonly #server: ServerConfig;
  readonly #logger: Logger;
  #tokens: Tokens | null;
  #tls: TlsMaterial | null;

  private constructor(
    server: ServerConfig,
    logger: Logger,
    tokens: Tokens | null,
    tls: TlsMaterial | null,
  ) {
    this.#server = server;
    this.#logger = logger;
    this.#tokens = tokens;
    this.#tls = tls;
  }

  /** @throws SettingsError that names key and file */
  static async open(server: ServerConfig, logger: Logger): Promise<Access> {
    const access = new Access(server, logger, await readTokens(server), await readTls(server));
    access.#warn();
    return access;
  }

  /** Null: plain text. */
  get tls(): TlsMaterial | null {
    return this.#tls;
  }

  /** Whether a connection needs a certificate that `server.tls.client_ca` signed. */
  get needsCertificate(): boolean {
    return this.#server.tls?.client_ca !== undefined;
  }

  /** @param authorization the header's value; null when there was none */
  allows(authorization: string | null): boolean {
    return this.#tokens?.accept(authorization) ?? true;
  }

  /** Reads the files again. What cannot be used is logged, and the old is kept. Does not reject. */
  async reload(): Promise<void> {
    const keepOld = <T>(old: T) => {
      return (error: unknown): T => {
        const why = error instanceof Error ? error.message : String(error);
        this.#logger.error("access is not changed: a file cannot be used", { error: why });
        return old;
      };
    };
    this.#tokens = await readTokens(this.#server).catch(keepOld(this.#tokens));
    this.#tls = await readTls(this.#server).catch(keepOld(this.#tls));
  }

  #warn(): void {
    const { host, allow_insecure } = this.#server;
    if (isLoopback(host)) return;
    if (!this.#tokens && !this.needsCertificate && allow_insecure) {
      this.#logger.warn("whoever reaches this address may use the core (server.allow_insecure)", {
        host,
      });
    } else if (!this.#tls) {
      this.#logger.warn("tokens travel in clear text: set server.tls", { host });
    }
  }
}

async function readTokens({ token_file }: ServerConfig): Promise<Tokens | null> {
  if (token_file === undefined) return null;
  return new Tokens(await readTokenFile({ path: token_file, setting: "server.token_file" }));
}

async function readTls({ tls }: ServerConfig): Promise<TlsMaterial | null> {
  if (!tls) return null;
  const { cert, key, client_ca } = tls;
  return readTlsFiles({
    cert: { path: cert, setting: "server.tls.cert" },
    key: { path: key, setting: "server.tls.key" },
    ...(client_ca !== undefined && { ca: { path: client_ca, setting: "server.tls.client_ca" } }),
  });
}
