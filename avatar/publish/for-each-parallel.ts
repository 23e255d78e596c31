/**
 * Runs `work` for 0 to `count` - 1, at most `parallel` at the same time. After
 * a failure nothing more is begun; what is under way is waited for.
 * @throws the first failure
 */
export async function forEachParallel(
  count: number,
  parallel: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  let failure: unknown;
  const worker = async () => {
    while (next < count && !failed) {
      try {
        await work(next++);
      } catch (error) {
        if (!failed) failure = error;
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, Math.max(1, parallel)) }, worker));
  if (failed) throw failure;
}
