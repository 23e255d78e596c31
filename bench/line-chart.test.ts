import assert from "node:assert/strict";
import { test } from "node:test";
import { lineChart } from "./line-chart.ts";

const texts = { title: "t", note: "n", xLabel: "x", yLabel: "y" };

/** The places of lines, as numbers. */
function linesOf(svg: string): number[][][] {
  return [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number)),
  );
}

test("a gap in what was measured is a gap in the line", () => {
  const points = [
    [0, 1],
    [1, 2],
    [2, null],
    [3, 4],
    [4, 5],
  ] as const;
  const lines = linesOf(lineChart({ ...texts, series: [{ name: "s", points }] }));
  assert.deepEqual(
    lines.map((line) => line.length),
    [2, 2],
  );
});

test("on logarithmic axes equal ratios are equal lengths", () => {
  const points = [
    [1, 10],
    [10, 100],
    [100, 1000],
  ] as const;
  const svg = lineChart({
    ...texts,
    xScale: "log",
    yScale: "log",
    bottom: 1,
    series: [{ name: "s", points }],
  });
  const [[a, b, c]] = linesOf(svg) as [[number[], number[], number[]]];
  for (const axis of [0, 1]) {
    assert.ok(Math.abs(b[axis]! - a[axis]! - (c[axis]! - b[axis]!)) < 0.05, `axis ${axis}`);
  }
});

test("an axis begins and ends where it is told", () => {
  const series = [
    {
      name: "s",
      points: [
        [0, 30],
        [1, 50],
      ] as const,
    },
  ];
  const [[low, high]] = linesOf(lineChart({ ...texts, bottom: 20, top: 60, series })) as [
    [number[], number[]],
  ];
  const [[full, none]] = linesOf(lineChart({ ...texts, bottom: 30, top: 50, series })) as [
    [number[], number[]],
  ];
  assert.ok(Math.abs(2 * (low![1]! - high![1]!) - (full![1]! - none![1]!)) < 0.05);
});
