import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { SettingsError } from "../settings.ts";
import { type NamedFile, readNamedFile } from "./named-file.ts";

/** PEM files of one side of a TLS connection. */
export interface TlsFiles {
  /** Its own certificate, followed by those between it and the authority. */
  readonly cert?: NamedFile | undefined;
  /** The certificate's key, not encrypted. */
  readonly key?: NamedFile | undefined;
  /** Authorities that the other side's certificate may come from. */
  readonly ca?: NamedFile | undefined;
}

/** What was read, as `node:tls` takes it. */
export interface TlsMaterial {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
}

/**
 * Reads the files and checks that they are what they should be and belong together.
 * @throws SettingsError that names setting and file
 */
export async function readTlsFiles({ cert, key, ca }: TlsFiles): Promise<TlsMaterial> {
  if (!cert !== !key) {
    const [given, missing] = cert ? [cert.setting, "its key"] : [key?.setting, "its certificate"];
    throw new SettingsError(
      `${given}: ${missing} is missing: a certificate and its key go together`,
    );
  }
  const material = {
    ...(cert && { cert: await readNamedFile(cert) }),
    ...(key && { key: await readNamedFile(key) }),
    ...(ca && { ca: await readNamedFile(ca) }),
  };
  if (ca && material.ca) readCertificate(ca, material.ca);
  if (cert && key && material.cert && material.key) {
    const certificate = readCertificate(cert, material.cert);
    if (!certificate.checkPrivateKey(readKey(key, material.key))) {
      throw new SettingsError(
        `${key.setting}: ${key.path} is not the key of ${cert.path} (${cert.setting}): name the one that the certificate was made for`,
      );
    }
  }
  try {
    createSecureContext(material);
  } catch (cause) {
    const names = [cert, key, ca].flatMap((file) =>
      file ? [`${file.setting} (${file.path})`] : [],
    );
    throw new SettingsError(`${names.join(", ")}: cannot be used for TLS: ${messageOf(cause)}`, {
      cause,
    });
  }
  return material;
}

function readCertificate({ path, setting }: NamedFile, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new SettingsError(
      `${setting}: ${path} holds no certificate (${messageOf(cause)}): name a PEM file with "BEGIN CERTIFICATE"`,
      { cause },
    );
  }
}

function readKey({ path, setting }: NamedFile, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new SettingsError(
      `${setting}: ${path} holds no key that can be read (${messageOf(cause)}): name a PEM file with "BEGIN PRIVATE KEY", not encrypted`,
      { cause },
    );
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
