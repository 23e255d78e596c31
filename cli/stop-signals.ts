/** What stopping takes beyond the time that requests get. */
const GRACE_MS = 5000;

/**
 * Runs until SIGINT or SIGTERM, then `stop`. A second signal ends the process
 * at once, for those who do not want to wait; and so does the limit, whatever
 * `stop` waits for.
 * @param drainLimitMs what requests under way get
 */
export async function runUntilStopped(
  stop: () => Promise<void>,
  drainLimitMs: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const onSignal = (): void => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.off(signal, onSignal);
        process.once(signal, () => process.exit(1));
      }
      resolve();
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
  const limit = setTimeout(() => {
    process.stderr.write("stopping took too long: ended\n");
    process.exit(1);
  }, drainLimitMs + GRACE_MS);
  await stop();
  clearTimeout(limit);
}
