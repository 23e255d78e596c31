import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { exportJWK, generateKeyPair } from "jose";
import { createApiKey, hashOfKey } from "../../edge/access/api-key.ts";
import { parseTokenKeys, type TokenKey } from "../../edge/access/token-keys.ts";
import { CommandError } from "../command-error.ts";

const HMAC_BYTES = 32;
const KID_BYTES = 8;
const MAX_KEEP = 15;
/** The keys are secret. */
const OWNER_ONLY = 0o600;

/** `mouthpiece keys create` */
export async function runKeysCreate(options: { json?: boolean }): Promise<void> {
  const key = createApiKey();
  const hash = hashOfKey(key);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ key, hash })}\n`
      : `key   ${key}\n      for the tenant's server: it is shown this once\nhash  ${hash}\n      for access.tenants[].keys of the edge's configuration\n`,
  );
}

/** `mouthpiece keys rotate FILE`: the new key signs, the old ones check for a while. */
export async function runKeysRotate(
  file: string,
  options: { algorithm: string; keep: string; json?: boolean },
): Promise<void> {
  const { algorithm } = options;
  if (algorithm !== "EdDSA" && algorithm !== "HS256") {
    throw new CommandError(`--algorithm ${algorithm}: use EdDSA or HS256`, { isUsage: true });
  }
  const keep = Number(options.keep);
  if (!/^[0-9]{1,2}$/.test(options.keep) || keep > MAX_KEEP) {
    throw new CommandError(`--keep ${options.keep}: use 0 to ${MAX_KEEP}`, { isUsage: true });
  }
  const old = await readKeys(file);
  const made = await makeKey(algorithm);
  const keys = [made, ...old.slice(0, keep)];
  await replace(file, `${JSON.stringify({ keys }, null, 2)}\n`);
  const kept = keys.slice(1).map(({ kid }) => kid);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ file, kid: made.kid, algorithm, kept })}\n`
      : `${file}: ${made.kid} (${algorithm}) signs${kept.length > 0 ? `, ${kept.join(", ")} still checks` : ""}\n` +
          "for access.tokens.keys_file, or the secret MOUTHPIECE_TOKEN_KEYS of a Worker\n",
  );
}

async function readKeys(file: string): Promise<TokenKey[]> {
  let json: string;
  try {
    json = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`cannot read ${file}: ${why}`, { cause });
  }
  return parseTokenKeys(json, file);
}

async function makeKey(alg: "EdDSA" | "HS256"): Promise<TokenKey> {
  const kid = randomBytes(KID_BYTES).toString("base64url");
  if (alg === "HS256") {
    return { kty: "oct", alg, k: randomBytes(HMAC_BYTES).toString("base64url"), kid };
  }
  const { privateKey } = await generateKeyPair("Ed25519", { extractable: true });
  const { x, d } = await exportJWK(privateKey);
  return { kty: "OKP", crv: "Ed25519", alg, x: x!, d: d!, kid };
}

/** Nobody ever reads half a file, and nobody else the keys. */
async function replace(file: string, content: string): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString("hex")}.new`;
  try {
    const handle = await open(temporary, "wx", OWNER_ONLY);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`cannot write ${file}: ${why}`, { cause });
  }
}
