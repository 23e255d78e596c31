import { SettingsError } from "../settings.ts";
import { type NamedFile, readNamedFile } from "./named-file.ts";

/** Shorter ones can be guessed. */
const MIN_CHARACTERS = 16;
const MAX_CHARACTERS = 4096;
/** Each request is compared with all of them. */
const MAX_TOKENS = 1000;
/** `b64token` (RFC 6750, 2.1): what may stand in the Authorization header. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Bearer tokens, one per line; blank lines and lines that start with `#` say nothing.
 * @returns at least one
 * @throws SettingsError that names setting, file and line, never a token
 */
export async function readTokenFile(file: NamedFile): Promise<string[]> {
  const lines = (await readNamedFile(file)).toString("utf8").split("\n");
  const tokens: string[] = [];
  for (const [i, line] of lines.entries()) {
    const token = line.trim();
    if (token === "" || token.startsWith("#")) continue;
    checkToken(token, `${file.setting}: line ${i + 1} of ${file.path}`);
    tokens.push(token);
  }
  const where = `${file.setting}: ${file.path} has`;
  if (tokens.length === 0) throw new SettingsError(`${where} no token: write one per line`);
  if (tokens.length <= MAX_TOKENS) return tokens;
  throw new SettingsError(`${where} ${tokens.length} tokens: at most ${MAX_TOKENS} are allowed`);
}

/** @param where names it in errors. @throws SettingsError that does not tell the token */
export function checkToken(token: string, where: string): void {
  const make = 'make one with "openssl rand -hex 32"';
  if (token.length < MIN_CHARACTERS || token.length > MAX_CHARACTERS) {
    throw new SettingsError(
      `${where}: a token has ${MIN_CHARACTERS} to ${MAX_CHARACTERS} characters, this one ${token.length}: ${make}`,
    );
  }
  if (TOKEN.test(token)) return;
  throw new SettingsError(
    `${where}: a token has only A-Z a-z 0-9 . _ ~ + / - and = at its end: ${make}`,
  );
}
