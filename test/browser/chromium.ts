import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Starts Chromium without a window.
 * @param microphoneFile a WAV file that it hears as its microphone
 * @param options `needsClick`: no sound before a click, as everywhere outside of tests;
 * `secureOrigins`: treated as if they were by https
 */
export async function startChromium(
  microphoneFile: string,
  { needsClick = false, secureOrigins = [] as readonly string[] } = {},
): Promise<Browser> {
  const { CHROMIUM } = process.env;
  const executablePath = CHROMIUM ?? PATHS.find((path) => existsSync(path));
  if (!executablePath) {
    throw new Error("Chromium is not installed: install it, or name its path in CHROMIUM");
  }
  return chromium.launch({
    executablePath,
    args: [
      // Containers and CI run as root, where its sandbox does not start.
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-quic",
      `--unsafely-treat-insecure-origin-as-secure=${secureOrigins.join(",")}`,
      `--autoplay-policy=${needsClick ? "document-user-activation-required" : "no-user-gesture-required"}`,
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-audio-capture=${microphoneFile}`,
    ],
  });
}
