import { askCore, type CoreOptions } from "../core-connection.ts";

/** `mouthpiece reload`: what a core took over from its file, and what waits for its next start. */
export async function runReload(options: CoreOptions): Promise<void> {
  const answer = await askCore(options, (_, admin) => admin.reloadConfiguration({}));
  const { appliedKeys: applied, pendingKeys: pending } = answer;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ applied, pending })}\n`);
    return;
  }
  const list = (keys: readonly string[]) => (keys.length > 0 ? keys.join(", ") : "nothing");
  process.stdout.write(`taken over: ${list(applied)}\nfrom the next start: ${list(pending)}\n`);
}
