import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { main } from "../../../cli/main.ts";
import { startChromium } from "../../../test/browser/chromium.ts";
import { LiveClient } from "../../../test/support/live-client.ts";
import { MOUTHPIECE } from "../../../test/support/run-command.ts";
import { type ServerProcess, startServer } from "../server-process.ts";
import { writeFlashAvatar } from "./flash-avatar.ts";
import type { OpenedSession } from "./viewer-page.ts";

const DIST = fileURLToPath(new URL("../../../client/dist", import.meta.url));
const CALL_LIMIT_MS = 20_000;

/** Core and edge in processes of their own, a site with the SDK, and Chromium. */
export interface ProofStage {
  readonly edge: ServerProcess;
  readonly site: string;
  readonly browser: Browser;
  open(): Promise<OpenedSession>;
  remove(session: OpenedSession): Promise<void>;
  /** Whoever gives the session its words, on a connection of its own. */
  speaker(session: OpenedSession): Promise<LiveClient>;
  close(): Promise<void>;
}

/** @param host where edge and site listen; the browser may be elsewhere */
export async function openProofStage(host = "127.0.0.1"): Promise<ProofStage> {
  const ends: (() => Promise<unknown> | unknown)[] = [];
  const close = async () => {
    for (const end of ends.reverse()) await end();
  };
  const folder = async () => {
    const path = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
    ends.push(() => rm(path, { recursive: true, force: true }));
    return path;
  };
  const start = async (part: string, settings: object) => {
    const config = join(await folder(), `${part}.yaml`);
    await writeFile(
      config,
      JSON.stringify({ server: { port: 0 }, log_level: "error", ...settings }),
    );
    const server = await startServer([MOUTHPIECE, part, "--config", config]);
    ends.push(() => server.child.kill("SIGKILL"));
    return server;
  };
  try {
    const imported = await folder();
    const root = await folder();
    await writeFlashAvatar(imported);
    const publish = ["publish", "flash", "--root", imported, "--to", root, "--json"];
    const status = await main([...publish, "--formats", "jpeg,h264"]);
    if (status !== 0) throw new Error(`publishing ended with ${status}`);
    const core = await start("core", { models_root: root });
    const edge = await start("edge", {
      avatars_root: root,
      server: { port: 0, host },
      access: { open: true },
      core: { url: core.url },
      webrtc: { addresses: [host] },
    });
    const server = createServer(async (request, response) => {
      const name = basename(request.url ?? "");
      const isScript = name.endsWith(".js");
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(
        isScript ? await readFile(join(DIST, name)) : "<!doctype html><title>viewer</title>",
      );
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    ends.push(() => server.close());
    const site = `http://${host}:${(server.address() as AddressInfo).port}`;
    const browser = await startChromium("", { secureOrigins: [site, edge.url] });
    ends.push(() => browser.close());
    const call = async (method: string, path: string) => {
      const signal = AbortSignal.timeout(CALL_LIMIT_MS);
      const response = await fetch(edge.url + path, { method, signal });
      if (!response.ok) throw new Error(await response.text());
      return response;
    };
    return {
      edge,
      site: `${site}/`,
      browser,
      open: async () =>
        (await (await call("POST", "/v1/avatars/flash/sessions")).json()) as OpenedSession,
      async remove({ id }) {
        await call("DELETE", `/v1/sessions/${id}`);
      },
      speaker: (session) => LiveClient.join(edge.url, session, session.speakerToken),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
