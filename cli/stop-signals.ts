/**
 * Runs until SIGINT or SIGTERM, then `stop`. A second signal ends the process
 * at once, for those who do not want to wait.
 */
export async function runUntilStopped(stop: () => Promise<void>): Promise<void> {
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
  await stop();
}
