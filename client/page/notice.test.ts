import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayerError } from "../index.ts";
import { noticeOfEnd, noticeOfEnding, noticeOfError, noticeOfFallback } from "./notice.ts";

test("why there are clips is told in words, whatever the edge answers", () => {
  const refused = (status: number, detail: string) =>
    noticeOfFallback(new PlayerError("refused", detail, { status })).text;
  assert.match(refused(404, "no such thing"), /^This server has no live sessions\. Meanwhile/);
  assert.match(refused(429, "2 are here already"), /^2 are here already\. Meanwhile/);
  assert.match(refused(403, "not for you."), /opens no live session: not for you\. Meanwhile/);
  assert.match(noticeOfFallback(new TypeError("x is not y")).text, /^A live session could not be/);
  assert.equal(noticeOfFallback(null).canRetry, true);
});

test("an end that nobody is to blame for is no error; a reason not known yet is said as it is", () => {
  assert.equal(noticeOfEnd("idle_timeout").isError, false);
  assert.equal(noticeOfEnd("unavailable").isError, true);
  assert.match(noticeOfEnd("too_many_moons").text, /too many moons/);
});

test("limits are told in seconds, and what averts them", () => {
  const idle = noticeOfEnding({ reason: "idle_timeout", inMs: 59_600 });
  assert.match(idle.text, /in 60 s, unless something is said/);
  assert.equal(idle.isOverWithSpeech, true);
  assert.notEqual(noticeOfEnding({ reason: "max_duration", inMs: 10 }).isOverWithSpeech, true);
});

test("a defect of the page does not show its insides", () => {
  assert.doesNotMatch(noticeOfError(new TypeError("x is not y")).text, /x is not y/);
  assert.equal(noticeOfError(new PlayerError("unreachable", "No answer.")).canRetry, true);
});
