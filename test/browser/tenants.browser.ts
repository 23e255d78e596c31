import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { createApiKey, hashOfKey } from "../../edge/access/api-key.ts";
import { startSystem, type TestSystem } from "../support/system.ts";
import { startChromium } from "./chromium.ts";
import { demoRoot } from "./demo-setup.ts";

const assetsRoot = fileURLToPath(new URL("../../client/dist", import.meta.url));
const sample = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));
const WAIT = { timeout: 60_000 };

/** A company's own server: it has the API key, and gives its pages tokens. */
describe("an edge with tenants, in Chromium", () => {
  const ends: (() => Promise<void> | void)[] = [];
  const key = createApiKey();
  let system: TestSystem;
  let browser: Browser;
  let site: string;

  before(async () => {
    const root = demoRoot();
    const server = createServer(async (request, response) => {
      const token = async () => {
        const answer = await fetch(`${system.edge.url}/v1/tokens`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}` },
          body: JSON.stringify({ avatar: "demo", expires_in: 60 }),
        });
        return (await answer.json()) as { token: string };
      };
      if (request.url === "/token") response.end((await token()).token);
      else if (request.url === "/speech.wav") response.end(await readFile(sample));
      else response.setHeader("content-type", "text/html").end(embedding(system.edge.url));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ends.push(() => void server.close());
    site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const tenants = [{ id: "acme", keys: [hashOfKey(key)], origins: [site] }];
    process.env.MOUTHPIECE_TOKEN_KEYS = JSON.stringify({
      keys: [{ kty: "oct", alg: "HS256", k: "s".repeat(43), kid: "1" }],
    });
    try {
      system = await startSystem(root, { assetsRoot, edge: { access: { tenants } } });
    } finally {
      delete process.env.MOUTHPIECE_TOKEN_KEYS;
    }
    browser = await startChromium(sample);
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
    for (const end of ends) await end();
  });

  async function open(url: string): Promise<{ tab: Page; failures: string[] }> {
    const tab = await browser.newPage();
    const failures: string[] = [];
    tab.on("pageerror", (error) => failures.push(String(error)));
    await tab.goto(url);
    return { tab, failures };
  }

  test("a page of the tenant speaks with a token from its own server", async () => {
    const { tab, failures } = await open(site);
    const title = (text: string) =>
      tab.waitForFunction((wanted) => document.title === wanted, text, WAIT);
    await title("idle");
    await tab.click("#talk");
    await title("ended");
    assert.deepEqual(failures, []);
    await tab.close();
  });

  test("the same page elsewhere is kept out", async () => {
    // Another name is another origin.
    const { tab } = await open(site.replace("127.0.0.1", "localhost"));
    await tab.waitForFunction(() => document.title.startsWith("unreachable"), null, WAIT);
    await tab.close();
  });

  test("the page of the edge asks for a token, says when it is wrong, and goes on", async () => {
    const { tab, failures } = await open(system.edge.url);
    const state = (name: string) => tab.waitForSelector(`#stage[data-state=${name}]`, WAIT);
    await state("locked");
    await tab.fill("#token", "nonsense");
    await tab.click("#sign-in button");
    await tab.waitForFunction(
      () => document.getElementById("message")?.textContent?.includes("refused"),
      null,
      WAIT,
    );
    const token = await (await fetch(`${site}/token`)).text();
    await tab.fill("#token", token);
    await tab.click("#sign-in button");
    await state("idle");
    await tab.click("#sample");
    await state("speaking");
    assert.equal(await tab.isVisible("#sign-in"), false);
    // In the address it is taken from, and not left there.
    const other = await open(`${system.edge.url}/#token=${token}`);
    await other.tab.waitForSelector("#stage[data-state=idle]", WAIT);
    assert.equal(new URL(other.tab.url()).hash, "");
    assert.deepEqual([...failures, ...other.failures], []);
    await tab.close();
    await other.tab.close();
  });
});

function embedding(edge: string): string {
  return `<!doctype html><canvas id="avatar"></canvas><button id="talk">Talk</button>
    <script type="module">
      import { AvatarPlayer } from "${edge}/mouthpiece.js";
      const token = async () => (await fetch("/token")).text();
      const canvas = document.getElementById("avatar");
      const player = new AvatarPlayer(canvas, { avatarId: "demo", token });
      try {
        await player.idle();
        document.title = "idle";
      } catch (error) {
        document.title = error.code;
      }
      document.getElementById("talk").onclick = async () => {
        document.title = await player.speak(await (await fetch("/speech.wav")).blob());
      };
    </script>`;
}
