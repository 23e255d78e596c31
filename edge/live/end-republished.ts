import type { AvatarDirectory } from "../background/avatar-directory.ts";
import { CoreCallError } from "../core/core-client.ts";
import type { LiveSession } from "./live-session.ts";

/**
 * Ends a session whose avatar was published again when the core has the new
 * version alone: its mouths would not fit the background that is shown. Whoever
 * watches opens another session.
 */
export function endRepublished(
  session: LiveSession,
  directory: Pick<AvatarDirectory, "currentVersion">,
): void {
  const { id, version } = session.avatar.summary;
  const compare = async () => {
    const current = await directory.currentVersion(id);
    if (current !== version) session.end("republished");
  };
  session.listen({
    finished: (_segment, _playedMs, _reason, error) => {
      if (!(error instanceof CoreCallError) || error.code !== "model") return;
      // A store that does not answer says nothing of the version.
      compare().catch(() => {});
    },
  });
}
