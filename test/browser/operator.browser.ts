import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { createApiKey, hashOfKey } from "../../edge/access/api-key.ts";
import { LiveClient } from "../support/live-client.ts";
import { startSystem, type TestSystem } from "../support/system.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "../support/tiny-avatar.ts";
import { startChromium } from "./chromium.ts";

const page = fileURLToPath(new URL("../../client/dist", import.meta.url));
const sample = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));
const KEY = createApiKey();
const TENANT_KEY = createApiKey();
const LIMIT_MS = 30_000;

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly urls: { readonly socket: string };
}

describe("the operator's page in Chromium", () => {
  const ends: (() => Promise<void>)[] = [];
  let system: TestSystem;
  let browser: Browser;
  let tab: Page;
  let failures: string[];
  let addresses: string[];

  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    await writeTinyAvatar(root, "ada");
    const access = {
      operator_keys: [hashOfKey(KEY)],
      tenants: [{ id: "acme", keys: [hashOfKey(TENANT_KEY)] }],
    };
    const tokens = { ...access, tokens: {} };
    system = await startSystem(root, { assetsRoot: page, edge: { access: tokens } });
    browser = await startChromium(sample);
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
    for (const end of ends) await end();
  });
  beforeEach(async () => {
    failures = [];
    addresses = [];
    tab = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    tab.setDefaultTimeout(LIMIT_MS);
    tab.on("pageerror", (error) => failures.push(String(error)));
    tab.on("console", (line) => {
      // A refusal is what some of this is about, and Chromium says so by itself.
      if (line.type() === "error" && !/status of 40[13]/.test(line.text()))
        failures.push(line.text());
    });
    tab.on("request", (request) => addresses.push(request.url()));
    await tab.goto(`${system.edge.url}/operator`);
  });
  afterEach(async () => {
    assert.deepEqual(failures, []);
    await tab.close();
  });

  const signIn = async (key = KEY) => {
    await tab.fill("#key", key);
    await tab.press("#key", "Enter");
  };
  const live = () => tab.waitForSelector("#link[data-state=live]");
  const openSession = async (): Promise<{ opened: Opened; client: LiveClient }> => {
    const response = await fetch(`${system.edge.url}/v1/avatars/ada/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${TENANT_KEY}` },
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    assert.equal(response.status, 201, await response.clone().text());
    const opened = (await response.json()) as Opened;
    const client = await LiveClient.join(system.edge.url, opened, opened.token, {
      video: ["jpeg"],
      audio: ["pcm"],
    });
    return { opened, client };
  };

  test("it asks for a key, refuses others, and keeps it for the tab alone", async () => {
    await tab.waitForSelector("#sign-in:visible");
    assert.equal(await tab.isVisible("#board"), false);
    assert.equal(await tab.isVisible("#message"), false);
    await signIn(TENANT_KEY);
    await tab.waitForFunction(() =>
      document.getElementById("message")?.textContent?.includes("operators"),
    );
    await signIn();
    await live();
    assert.equal(await tab.isVisible("#sign-in"), false);
    const kept = await tab.evaluate(() => [localStorage.length, document.cookie]);
    assert.deepEqual(kept, [0, ""]);
    for (const address of addresses) assert.ok(!address.includes("mpk_"), address);
    await tab.reload();
    await live();
    await tab.click("#sign-out");
    await tab.waitForSelector("#sign-in:visible");
    assert.equal(await tab.evaluate(() => sessionStorage.length), 0);
  });

  test("what there is nothing of is said to be empty; models and caches have rows", async () => {
    await signIn();
    await live();
    for (const name of ["sessions", "utterances"]) {
      assert.ok(await tab.isVisible(`#${name}-empty`));
      assert.equal(await tab.isVisible(`#${name}`), false);
    }
    assert.equal(await tab.locator("#cores tbody tr").count(), 1);
    assert.equal(await tab.locator("#caches tbody tr").count(), 3);
    assert.match((await tab.textContent("#about")) ?? "", /^Version \d+\.\d+\.\d+ on Node/);
  });

  test("a session is seen at work, and ended with the keyboard alone", async () => {
    await signIn();
    await live();
    const { opened, client } = await openSession();
    const row = tab.locator("#sessions tbody tr");
    await row.waitFor();
    assert.match((await row.textContent()) ?? "", /ada.*acme.*jpeg over WebSocket/);
    client.say(tone(64_000));
    await tab.waitForFunction(
      () =>
        document.querySelector("#sessions [data-state=busy]")?.textContent === "speaking" &&
        Number(document.getElementById("frames-now")?.textContent) >= 10,
    );
    const label = await tab.getAttribute("#frames-line", "aria-label");
    assert.match(label ?? "", /Frames per second in the last minute: \d+ now/);

    const button = tab.locator("#sessions button");
    await button.focus();
    // Focus outlives snapshots.
    await tab.waitForTimeout(2200);
    assert.equal(await tab.evaluate(() => document.activeElement?.textContent), "End");
    await tab.keyboard.press("Enter");
    await tab.waitForSelector("#end-dialog[open]");
    assert.ok((await tab.textContent("#end-text"))?.includes(opened.id));
    // What has the focus first does no harm.
    await tab.keyboard.press("Enter");
    await tab.waitForSelector("#end-dialog[open]", { state: "detached" });
    assert.equal(client.closed, null);
    await tab.keyboard.press("Enter");
    await tab.waitForSelector("#end-dialog[open]");
    await tab.keyboard.press("Tab");
    await tab.keyboard.press("Enter");
    assert.equal((await client.told("ended")).reason, "deleted");
    await tab.waitForSelector("#sessions-empty:visible");
    assert.equal(await tab.evaluate(() => document.activeElement?.id), "sessions-title");
  });

  test("nothing is wider than a telephone", async () => {
    await tab.setViewportSize({ width: 400, height: 800 });
    await signIn();
    await live();
    const { client } = await openSession();
    await tab.locator("#sessions tbody tr").waitFor();
    const width = await tab.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 400);
    client.send({ type: "leave" });
    await client.ended();
  });
});
