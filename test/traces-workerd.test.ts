import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { startOtlpReceiver } from "./support/otlp-receiver.ts";
import { temporaryFolder } from "./support/tiny-avatar.ts";

const APP = fileURLToPath(new URL("./support/traced-app.ts", import.meta.url));
const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("in workerd, without Node's modules, traces are continued and sent", async (t) => {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const receiver = await startOtlpReceiver();
  t.after(() => receiver.stop());
  const root = await temporaryFolder(t);
  const main = join(root, "worker.js");
  await writeFile(
    main,
    `import { createTracedApp } from ${JSON.stringify(APP)};
export default createTracedApp(${JSON.stringify(receiver.url)});`,
  );
  const harness = createTestHarness({
    root,
    workers: [{ config: { name: "traced", main, compatibility_date: "2026-01-01" } }],
  });
  t.after(() => harness.close());
  const { url } = await harness.listen();
  for (let i = 1; i <= 3; i++) {
    const response = await fetch(new URL("/v1/avatars/ada", url), {
      headers: { traceparent: CALLER },
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    // What goes to the core names the span that is its parent.
    await receiver.until((spans) => spans.length === 2 * i);
    const [call] = receiver.spans.slice(-2).filter(({ name }) => name === "call");
    assert.equal(text, `00-${CALLER.split("-")[1]}-${call!.spanId}-01`);
    const request = receiver.spans.find(({ spanId }) => spanId === call!.parentSpanId);
    assert.equal(request?.name, "GET /v1/avatars/:id");
    assert.equal(request.parentSpanId, CALLER.split("-")[2]);
    // Its clock says today: workerd's monotonic clock has another origin.
    assert.ok(Number(request.start / 1_000_000n) > Date.now() - 3_600_000);
  }
});
