import { readNamedFile } from "../../avatar/runtime/named-file.ts";
import { parseTokenKeys, type TokenKey } from "../access/token-keys.ts";

/** The keys of session tokens for whoever keeps none in a file. */
const VARIABLE = "MOUTHPIECE_TOKEN_KEYS";

/** @param path null or undefined where there is no file. @throws SettingsError */
export async function readTokenKeys(
  path: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<TokenKey[]> {
  if (path !== undefined) {
    const setting = "access.tokens.keys_file";
    const json = (await readNamedFile({ path, setting })).toString("utf8");
    return parseTokenKeys(json, `${setting}: ${path}`);
  }
  const json = environment[VARIABLE];
  return json ? parseTokenKeys(json, VARIABLE) : [];
}
