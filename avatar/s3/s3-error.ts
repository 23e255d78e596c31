import { AvatarError } from "../avatar-error.ts";
import { childText, parseXml, type XmlElement, XmlError } from "./xml.ts";

/** What an S3 store says when it refuses: a code such as `NoSuchKey`, empty when it gives none. */
export interface S3Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Reads the body of an answer that is no success. */
export function parseRefusal(status: number, body: string): S3Refusal {
  try {
    const root = parseXml(body);
    if (root.name === "Error") {
      return {
        status,
        code: childText(root, "Code") ?? "",
        message: childText(root, "Message") ?? "",
      };
    }
  } catch {
    // A proxy's page, or no body at all.
  }
  return { status, code: "", message: "" };
}

/** What to do about a refusal, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  Unauthorized: "check AWS_ACCESS_KEY_ID",
  InvalidAccessKeyId: "check AWS_ACCESS_KEY_ID",
  SignatureDoesNotMatch: "check AWS_SECRET_ACCESS_KEY",
  RequestTimeTooSkewed: "set this machine's clock",
  ExpiredToken: "AWS_SESSION_TOKEN has expired: get a new one",
  InvalidToken: "check AWS_SESSION_TOKEN",
  AuthorizationHeaderMalformed: "check AWS_REGION",
  PermanentRedirect: "the bucket is elsewhere: check AWS_REGION and the endpoint",
  AccessDenied: "AWS_ACCESS_KEY_ID may not do this: give it read and write access to the bucket",
};

/** @param what was tried, e.g. "write avatars/ada/avatar.json" */
export function refusalError(what: string, bucket: string, refusal: S3Refusal): AvatarError {
  const { status, code, message } = refusal;
  if (code === "NoSuchBucket") {
    return new AvatarError(
      "store_unavailable",
      `cannot ${what}: there is no bucket ${bucket} at this endpoint: create it, or check its name and the endpoint`,
    );
  }
  const isForbidden = status === 401 || status === 403;
  const advice =
    ADVICE[code] ??
    (isForbidden ? "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they allow" : "");
  const said = [code, message].filter(Boolean).join(": ").slice(0, 300);
  return new AvatarError(
    "store_unavailable",
    `cannot ${what} in ${bucket}: the store answers ${status}${said && ` (${said})`}${advice && `; ${advice}`}`,
  );
}

/** The root of an XML answer. S3 may send an error with status 200. @throws AvatarError */
export function parseAnswer(body: Uint8Array, rootName: string, what: string): XmlElement {
  try {
    const root = parseXml(new TextDecoder().decode(body));
    if (root.name === rootName) return root;
    const code = childText(root, "Code") ?? root.name;
    throw new AvatarError("store_unavailable", `cannot ${what}: the store answers ${code}`);
  } catch (cause) {
    if (!(cause instanceof XmlError)) throw cause;
    throw new AvatarError(
      "store_unavailable",
      `cannot ${what}: the answer is not that of an S3 store: ${cause.message}`,
      { cause },
    );
  }
}
