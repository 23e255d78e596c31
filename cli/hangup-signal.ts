import { isatty } from "node:tty";
import type { Logger } from "../avatar/logger.ts";

const STDIN = 0;

/**
 * From now on SIGHUP calls `reload`, one at a time; what comes meanwhile is one
 * more. When the terminal was closed there is nobody left to serve for: it then
 * stops, as on SIGTERM.
 * @param reload what it cannot take over it throws, and the old settings hold
 */
export function reloadOnHangup(reload: () => Promise<unknown>, logger: Logger): void {
  const hasTerminal = isatty(STDIN);
  let isUnderWay = false;
  let isWantedAgain = false;
  const run = async (): Promise<void> => {
    isUnderWay = true;
    do {
      isWantedAgain = false;
      try {
        await reload();
      } catch (error) {
        logger.error("configuration not read again", { error: String(error) });
      }
    } while (isWantedAgain);
    isUnderWay = false;
  };
  process.on("SIGHUP", () => {
    if (hasTerminal && !isatty(STDIN)) process.kill(process.pid, "SIGTERM");
    else if (isUnderWay) isWantedAgain = true;
    else void run();
  });
}
