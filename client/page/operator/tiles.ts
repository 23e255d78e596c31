import type { OperatorSnapshot } from "../../../edge/operator/snapshot.ts";
import { element } from "../elements.ts";
import { count, duration, some } from "./format.ts";
import { type History, speakingIn } from "./history.ts";
import { drawSparkline } from "./sparkline.ts";

/** A single session shows so many frames in a second. */
const ONE_SESSION_FPS = 25;

/** The figures at the top of the page, and what edge it is. */
export function showTiles(snapshot: OperatorSnapshot, history: History): void {
  const { edge, live, cores, log } = snapshot;
  const viewers = live.sessions.reduce((sum, session) => sum + session.viewers.length, 0);
  const up = cores.nodes.filter(({ isUp }) => isUp).length;
  const frames = history.framesPerSecond.at(-1) ?? 0;
  say("sessions-now", count(live.count));
  say("sessions-max", `of ${count(live.max)}`);
  say("viewers-now", `${some(viewers, "viewer")}, ${count(live.opened)} opened so far`);
  say("frames-now", count(frames));
  say("speaking-now", count(speakingIn(snapshot)));
  say("cores-now", count(up));
  say("cores-of", `of ${count(cores.nodes.length)}`);
  say("cores-more", `Asked again ${count(cores.retries)}, hedged ${count(cores.hedges)}`);
  say("errors-now", count(log.errors));
  say("warnings-now", some(log.warnings, "warning"));
  mark("cores-now", up < cores.nodes.length || up === 0);
  mark("errors-now", log.errors > 0);
  const who = edge.isOpen ? "open to this machine" : some(edge.tenants, "tenant");
  const where = edge.region ? ` in ${edge.region}` : "";
  say(
    "about",
    `Version ${edge.version} on ${edge.runtime}${where}, ${who}, up for ${duration(edge.uptimeS)}`,
  );
  drawSparkline(line("frames-line"), history.framesPerSecond, {
    label: "Frames per second",
    least: ONE_SESSION_FPS,
  });
  drawSparkline(line("speaking-line"), history.speaking, { label: "Speaking", least: 1 });
  showLimits(edge.limits);
}

function showLimits(limits: OperatorSnapshot["edge"]["limits"]): void {
  const list = element("limits", HTMLElement);
  // They do not change while the edge runs.
  if (list.childElementCount === 2 * Object.keys(limits).length) return;
  const parts = Object.entries(limits).flatMap(([name, value]) => {
    const term = document.createElement("dt");
    term.textContent = name;
    const definition = document.createElement("dd");
    definition.textContent = value.toLocaleString("en");
    return [term, definition];
  });
  list.replaceChildren(...parts);
}

function say(id: string, text: string): void {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

function mark(id: string, isBad: boolean): void {
  element(id, HTMLElement).classList.toggle("bad", isBad);
}

function line(id: string): SVGElement {
  const found = document.getElementById(id);
  if (found instanceof SVGElement) return found;
  throw new Error(`the page has no line #${id}`);
}
