import assert from "node:assert/strict";
import { test } from "node:test";
import { FairQueue, type Flow } from "./fair-queue.ts";

const QUANTUM = 10;

class TestFlow implements Flow {
  readonly name: string;
  waiting: number;
  deficit = 0;
  list: Flow["list"] = null;

  constructor(name: string, waiting: number) {
    this.name = name;
    this.waiting = waiting;
  }

  isReady(): boolean {
    return this.waiting > 0;
  }
}

/** Serves `count` pieces of the given cost. @returns who got them */
function serve(queue: FairQueue<TestFlow>, count: number, cost: (flow: TestFlow) => number) {
  const served: string[] = [];
  for (let i = 0; i < count; i++) {
    const flow = queue.next(QUANTUM);
    if (!flow) break;
    flow.waiting--;
    queue.charge(flow, cost(flow), QUANTUM);
    served.push(flow.name);
  }
  return served;
}

function shares(served: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of served) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

test("flows that always wait get the same time, however large their pieces are", () => {
  const queue = new FairQueue<TestFlow>();
  const [small, large] = [new TestFlow("small", 1e6), new TestFlow("large", 1e6)];
  queue.activate(small, QUANTUM);
  queue.activate(large, QUANTUM);
  const counts = shares(serve(queue, 6000, ({ name }) => (name === "small" ? 5 : 25)));
  assert.equal(counts.small! / counts.large!, 5);
});

test("a flow that comes back is served before those that wait, for one quantum", () => {
  const queue = new FairQueue<TestFlow>();
  const noisy = new TestFlow("noisy", 1e6);
  queue.activate(noisy, QUANTUM);
  serve(queue, 50, () => 5);
  const quiet = new TestFlow("quiet", 100);
  queue.activate(quiet, QUANTUM);
  assert.deepEqual(
    serve(queue, 2, () => 5),
    ["quiet", "quiet"],
  );
  const counts = shares(serve(queue, 40, () => 5));
  assert.equal(counts.noisy, counts.quiet);
});

test("pausing does not make a flow fresh at once", () => {
  const queue = new FairQueue<TestFlow>();
  const waiting = new TestFlow("waiting", 1e6);
  const cunning = new TestFlow("cunning", 1);
  queue.activate(waiting, QUANTUM);
  serve(queue, 10, () => 5);
  const served: string[] = [];
  for (let i = 0; i < 400; i++) {
    // It always has one piece, and never shows that it has more.
    cunning.waiting = 1;
    queue.activate(cunning, QUANTUM);
    served.push(...serve(queue, 1, () => 5));
  }
  const counts = shares(served);
  // One quantum ahead at the start, and at every turn no more than its share.
  assert.ok(counts.cunning! - counts.waiting! <= 4, JSON.stringify(counts));
});

test("an idle queue has nobody, and debt is bounded", () => {
  const queue = new FairQueue<TestFlow>();
  const flow = new TestFlow("slow", 2);
  queue.activate(flow, QUANTUM);
  assert.deepEqual(
    serve(queue, 1, () => 1e9),
    ["slow"],
  );
  assert.ok(flow.deficit >= -4 * QUANTUM);
  assert.deepEqual(
    serve(queue, 5, () => 1),
    ["slow"],
  );
  assert.equal(queue.next(QUANTUM), null);
  assert.equal(flow.list, null);
});
