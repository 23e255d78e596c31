import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { compactNtp, MediaClock, ntpOf, rtpTimestamp } from "./media-clock.ts";

test("NTP times are those of RFC 3550's example", () => {
  // 10 Nov 1995 11:33:25.125 UTC, section 6.4.1, figure 2.
  const ntp = ntpOf(Date.UTC(1995, 10, 10, 11, 33, 25, 125));
  assert.equal(ntp, 0xb44db705_20000000n);
  assert.equal(compactNtp(ntp), 0xb7052000);
});

test("time stamps of 90 and 48 kHz go round", () => {
  assert.equal(rtpTimestamp(40, 90_000, 0), 3600);
  assert.equal(rtpTimestamp(20, 48_000, 2 ** 32 - 100), 860);
  // Ten days at 90 kHz.
  assert.equal(rtpTimestamp(864_000_000, 90_000, 5), (864_000 * 90_000 + 5) % 2 ** 32);
});

test("moments lie on one line, however late frames come", async () => {
  const clock = new VirtualClock();
  let unixMs = 1_000_000;
  const media = new MediaClock(clock, () => unixMs);
  assert.equal(media.moment(), null);
  const offsets: number[] = [];
  for (let frame = 0; frame < 50; frame++) {
    await clock.advanceTo(40 * frame + ((frame * 7) % 13));
    media.observe(40 * frame);
    await clock.advanceBy(3);
    // The machine's date is set anew meanwhile: receivers must not see it.
    unixMs += 1000;
    const { mediaMs, ntp } = media.moment()!;
    assert.equal(mediaMs, 40 * frame + 3);
    offsets.push(Number(ntp >> 16n) / 65.536 - mediaMs);
  }
  const spread = Math.max(...offsets) - Math.min(...offsets);
  assert.ok(spread < 0.1, `${spread} ms between NTP and the session's clock`);
});
