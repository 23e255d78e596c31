import { AvatarError } from "./avatar-error.ts";

/** Who avatars belong to: as a log line and a JSON Web Token can bear it. */
export const TENANT_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
export const TENANT_ID_RULE = "use 1 to 64 of a-z 0-9 . _ -, the first a letter or digit";

/** @throws AvatarError `invalid_id` */
export function checkTenantId(id: string): void {
  if (TENANT_ID.test(id)) return;
  throw new AvatarError(
    "invalid_id",
    `${id.slice(0, 100)} is not a tenant's id: ${TENANT_ID_RULE}`,
  );
}
