import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "yaml";
import { exportedSeries } from "./support/exported-series.ts";

const DEPLOY = new URL("../deploy/", import.meta.url);
/** What Prometheus itself adds. */
const TARGET_LABELS = ["job", "instance"];

interface Use {
  readonly series: string;
  readonly labels: readonly string[];
}

/** The series of ours that an expression reads, and the labels that it selects by. */
function usesOf(expression: string): Use[] {
  const pattern = /\b((?:mouthpiece_core|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g;
  return [...expression.matchAll(pattern)].map(([, series, selector = ""]) => ({
    series: series!,
    labels: [...selector.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
  }));
}

/** Labels that an aggregation keeps. */
function groupingsOf(expression: string): string[] {
  const groups = expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g);
  return [...groups].flatMap(([, list]) => list!.split(",").map((label) => label.trim()));
}

function check(expression: string, exported: Map<string, Set<string>>): number {
  const uses = usesOf(expression);
  const known = new Set(TARGET_LABELS);
  for (const { series, labels } of uses) {
    const has = exported.get(series);
    assert.ok(has, `no core exports ${series}, which is used in ${expression}`);
    for (const label of has) known.add(label);
    for (const label of labels) {
      assert.ok(has.has(label) || TARGET_LABELS.includes(label), `${series} has no label ${label}`);
    }
  }
  for (const label of groupingsOf(expression)) {
    assert.ok(known.has(label), `no series in ${expression} has the label ${label}`);
  }
  return uses.length;
}

test("the dashboard asks for what a core exports", async () => {
  const exported = await exportedSeries();
  const dashboard = JSON.parse(
    await readFile(new URL("grafana/mouthpiece-core.json", DEPLOY), "utf8"),
  );
  const asked = new Set<string>();
  const ids = new Set<number>();
  for (const { id, title, type, targets = [] } of dashboard.panels) {
    assert.ok(!ids.has(id), `panel ${id} is there twice`);
    ids.add(id);
    assert.equal(type === "row", targets.length === 0, title);
    for (const { expr } of targets) {
      assert.ok(check(expr, exported) > 0, `${title} asks for nothing`);
      for (const { series } of usesOf(expr)) asked.add(series);
    }
  }
  // And everything of ours that a core exports is on it.
  const families = [...exported.keys()]
    .filter((name) => name.startsWith("mouthpiece_core_"))
    .map((name) => name.replace(/_(bucket|sum|count)$/, ""));
  const missing = families.filter(
    (family) => ![...asked].some((series) => series.replace(/_(bucket|sum|count)$/, "") === family),
  );
  // The number of batches is that of their sizes.
  assert.deepEqual([...new Set(missing)], ["mouthpiece_core_batches_total"]);
  for (const variable of dashboard.templating.list) {
    if (typeof variable.definition === "string") assert.ok(check(variable.definition, exported));
  }
});

test("alerts ask for what a core exports, and say what to do", async () => {
  const exported = await exportedSeries();
  const { groups } = parse(await readFile(new URL("prometheus/alerts.yml", DEPLOY), "utf8"));
  const names = new Set<string>();
  for (const { alert, expr, labels, annotations } of groups.flatMap(
    ({ rules }: { rules: unknown[] }) => rules,
  )) {
    assert.ok(!names.has(alert), `${alert} is there twice`);
    names.add(alert);
    assert.match(labels.severity, /^(page|ticket)$/);
    assert.ok(annotations.summary && annotations.description, alert);
    if (!/^up\{/.test(expr)) assert.ok(check(expr, exported) > 0, `${alert} asks for nothing`);
  }
  assert.ok(names.has("MouthpieceDeviceDown"));
});

test("the scrape configuration reads the alerts beside it", async () => {
  const config = parse(await readFile(new URL("prometheus/prometheus.yml", DEPLOY), "utf8"));
  assert.deepEqual(config.rule_files, ["alerts.yml"]);
  const core = config.scrape_configs.find(
    ({ job_name }: { job_name: string }) => job_name === "mouthpiece-core",
  );
  assert.equal(core.authorization.type, "Bearer");
  assert.ok(core.authorization.credentials_file);
});
