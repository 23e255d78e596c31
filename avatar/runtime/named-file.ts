import { open } from "node:fs/promises";
import { SettingsError } from "../settings.ts";

/** More than any list of tokens or chain of certificates has. */
const MAX_BYTES = 1024 * 1024;

/** A file, and the key or option that names it, for errors. */
export interface NamedFile {
  readonly path: string;
  /** Such as `server.tls.cert`. */
  readonly setting: string;
}

/** @throws SettingsError that names the setting and the file */
export async function readNamedFile({ path, setting }: NamedFile): Promise<Buffer> {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  try {
    await using file = await open(path);
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SettingsError(
      `${setting}: ${path} cannot be read (${why}): name a file that this user may read`,
      { cause },
    );
  }
  if (length <= MAX_BYTES) return buffer.subarray(0, length);
  throw new SettingsError(
    `${setting}: ${path} has more than ${MAX_BYTES} bytes: name another file`,
  );
}
