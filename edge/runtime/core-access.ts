import { readTlsFiles, type TlsMaterial } from "../../avatar/runtime/tls-files.ts";
import { checkToken, readTokenFile } from "../../avatar/runtime/token-file.ts";

/** The token for whoever keeps none in a file. */
const TOKEN_VARIABLE = "MOUTHPIECE_CORE_TOKEN";

/** Files with which a core lets its caller in, as `core` of the edge's configuration. */
export interface CoreAccessFiles {
  readonly token_file?: string | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
}

/** What the files hold. */
export interface CoreAccess {
  /** Null sends none. */
  readonly token: string | null;
  readonly tls: TlsMaterial;
}

/** What errors call each file: keys of a configuration, or options of a command. */
export interface AccessNames {
  readonly tokenFile: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const KEYS: AccessNames = {
  tokenFile: "core.token_file",
  ca: "core.tls.ca",
  cert: "core.tls.cert",
  key: "core.tls.key",
};

/** @throws SettingsError that names what is wrong and in which file */
export async function readCoreAccess(
  { token_file, tls = {} }: CoreAccessFiles,
  names: AccessNames = KEYS,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<CoreAccess> {
  const named = (path: string | undefined, setting: string) =>
    path === undefined ? undefined : { path, setting };
  const files = {
    ca: named(tls.ca, names.ca),
    cert: named(tls.cert, names.cert),
    key: named(tls.key, names.key),
  };
  return {
    token: await readToken(token_file, names.tokenFile, environment[TOKEN_VARIABLE]),
    tls: await readTlsFiles(files),
  };
}

async function readToken(
  path: string | undefined,
  setting: string,
  fromEnvironment: string | undefined,
): Promise<string | null> {
  // The first one: core and caller may share a file, in which others are kept for the old.
  if (path !== undefined) return (await readTokenFile({ path, setting }))[0] ?? null;
  if (!fromEnvironment) return null;
  checkToken(fromEnvironment, TOKEN_VARIABLE);
  return fromEnvironment;
}
