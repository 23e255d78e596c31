import type { CoreModel } from "../../../edge/core/core-inspector.ts";
import type { SessionReport, ViewerReport } from "../../../edge/operator/describe-live.ts";
import type { RecentEntry } from "../../../edge/operator/recent-log.ts";
import type {
  CacheReport,
  CoreReport,
  OperatorSnapshot,
  SpeakingReport,
} from "../../../edge/operator/snapshot.ts";
import { element } from "../elements.ts";
import { bytes, clock, count, duration, milliseconds, percent } from "./format.ts";
import { type Column, KeyedTable } from "./keyed-table.ts";

/** A session that is about to end is told apart. */
const SOON_S = 60;

interface ModelRow extends CoreModel {
  readonly core: string;
}

/** Log lines have no names: what comes twice in a millisecond is counted. */
interface LogRow extends RecentEntry {
  readonly key: string;
}

/** The tables of the page. @param endButton made for each session */
export function openTables(endButton: (sessionId: string) => HTMLElement) {
  const sessions = open("sessions", sessionColumns(endButton), ({ id }: SessionReport) => id);
  const utterances = open("utterances", UTTERANCES, ({ tenant }) => tenant ?? "");
  const cores = open("cores", CORES, ({ url }) => url);
  const models = open("models", MODELS, ({ core, id }) => `${core} ${id}`);
  const caches = open("caches", CACHES, ({ name }) => name);
  const log = open("log", LOG, ({ key }) => key);
  return (snapshot: OperatorSnapshot): void => {
    sessions.update(snapshot.live.sessions);
    utterances.update(snapshot.speaking.tenants);
    cores.update(snapshot.cores.nodes);
    models.update(
      snapshot.cores.nodes.flatMap(({ url, models }) =>
        (models ?? []).map((model) => ({ ...model, core: hostOf(url) })),
      ),
    );
    caches.update(snapshot.caches);
    log.update(withKeys(snapshot.log.entries));
  };
}

function open<Item>(id: string, columns: readonly Column<Item>[], keyOf: (item: Item) => string) {
  const table = element(id, HTMLTableElement);
  const empty = element(`${id}-empty`, HTMLElement);
  return new KeyedTable<Item>({ table, empty, columns, keyOf });
}

function sessionColumns(endButton: (id: string) => HTMLElement): readonly Column<SessionReport>[] {
  return [
    { label: "Session", text: ({ id }) => id.slice(0, 8), state: () => "id" },
    { label: "Avatar", text: ({ avatar }) => avatar },
    { label: "Tenant", text: ({ tenant }) => tenant ?? "-" },
    {
      label: "State",
      text: ({ isSpeaking, viewers }) =>
        isSpeaking ? "speaking" : viewers.length > 0 ? "listening" : "waiting",
      state: ({ isSpeaking, viewers }) =>
        isSpeaking ? "busy" : viewers.length > 0 ? "good" : "off",
    },
    { label: "Viewers", text: ({ viewers }) => viewers.map(viewerText).join(", ") || "nobody" },
    { label: "Age", isNumber: true, text: ({ ageS }) => duration(ageS) },
    {
      label: "Time left",
      isNumber: true,
      text: ({ remainingS }) => duration(remainingS),
      state: ({ remainingS }) => (remainingS < SOON_S ? "warn-text" : ""),
    },
    { label: "Frames", isNumber: true, text: ({ shownFrames }) => count(shownFrames) },
    {
      label: "Late, lost, dropped",
      isNumber: true,
      text: ({ skippedFrames, lostFrames, viewers }) =>
        [skippedFrames, lostFrames, droppedBy(viewers)].map(count).join(" / "),
      state: ({ lostFrames }) => (lostFrames > 0 ? "warn-text" : ""),
    },
    { label: "", make: endButton },
  ];
}

const UTTERANCES: readonly Column<SpeakingReport["tenants"][number]>[] = [
  { label: "Tenant", text: ({ tenant }) => tenant ?? "none" },
  { label: "Under way", isNumber: true, text: (each) => count(each.count) },
];

const CORES: readonly Column<CoreReport>[] = [
  { label: "Core", text: ({ url }) => hostOf(url) },
  { label: "Region", text: ({ region }) => region || "-" },
  {
    label: "State",
    text: ({ isUp }) => (isUp ? "serves" : "out"),
    state: ({ isUp }) => (isUp ? "good" : "bad"),
  },
  { label: "In flight", isNumber: true, text: ({ inFlight }) => count(inFlight) },
  { label: "Calls", isNumber: true, text: ({ calls }) => count(calls) },
  {
    label: "Failures",
    isNumber: true,
    text: ({ failures }) => count(failures),
    state: ({ failures }) => (failures > 0 ? "warn-text" : ""),
  },
  { label: "Ejections", isNumber: true, text: ({ ejections }) => count(ejections) },
  { label: "First frame", isNumber: true, text: ({ firstFrameMs }) => milliseconds(firstFrameMs) },
  {
    label: "Models",
    text: ({ models, problem }) => problem ?? `${models?.length ?? 0} in use`,
    state: ({ problem }) => (problem === null ? "" : "warn-text"),
  },
];

const MODEL_STATES: Record<CoreModel["state"], string> = {
  ready: "good",
  loading: "busy",
  unloaded: "off",
  failed: "bad",
};

const MODELS: readonly Column<ModelRow>[] = [
  { label: "Model", text: ({ id }) => id },
  { label: "Core", text: ({ core }) => core },
  { label: "State", text: ({ state }) => state, state: ({ state }) => MODEL_STATES[state] },
  { label: "Copies", isNumber: true, text: ({ replicas }) => count(replicas) },
  { label: "Memory", isNumber: true, text: ({ memoryBytes }) => bytes(memoryBytes) },
  { label: "Requests", isNumber: true, text: ({ requests }) => count(requests) },
  { label: "Frames", isNumber: true, text: ({ frames }) => count(frames) },
  { label: "U-Net, a frame", isNumber: true, text: ({ unetMs }) => milliseconds(unetMs) },
  {
    label: "Failures",
    isNumber: true,
    text: ({ failures }) => count(failures),
    state: ({ failures }) => (failures > 0 ? "warn-text" : ""),
  },
  { label: "Evictions", isNumber: true, text: ({ evictions }) => count(evictions) },
];

const CACHES: readonly Column<CacheReport>[] = [
  { label: "Cache", text: ({ name }) => name },
  {
    label: "Memory",
    text: (cache) => `${bytes(cache.bytes)} of ${bytes(cache.budgetBytes)}`,
    share: (cache) => cache.bytes / cache.budgetBytes,
  },
  { label: "Entries", isNumber: true, text: ({ entries }) => count(entries) },
  {
    label: "Hit rate",
    isNumber: true,
    text: ({ hits, misses }) => percent(hits, hits + misses),
  },
  { label: "Hits", isNumber: true, text: ({ hits }) => count(hits) },
  { label: "Misses", isNumber: true, text: ({ misses }) => count(misses) },
  { label: "Evictions", isNumber: true, text: ({ evictions }) => count(evictions) },
];

const LOG: readonly Column<LogRow>[] = [
  { label: "Time", text: ({ time }) => clock(time), state: () => "id" },
  {
    label: "Level",
    text: ({ level }) => (level === "warn" ? "warning" : level),
    state: ({ level }) => (level === "warn" ? "busy" : "bad"),
  },
  { label: "Message", text: ({ message }) => message },
  { label: "Facts", text: ({ fields }) => factsOf(fields), state: () => "facts" },
];

const TRANSPORTS: Readonly<Record<string, string>> = {
  websocket: "WebSocket",
  webrtc: "WebRTC",
};

function viewerText({ transport, format }: ViewerReport): string {
  return transport === "recording"
    ? "recording"
    : `${format} over ${TRANSPORTS[transport] ?? transport}`;
}

function droppedBy(viewers: readonly ViewerReport[]): number {
  return viewers.reduce((sum, { droppedFrames }) => sum + droppedFrames, 0);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function factsOf(fields: RecentEntry["fields"]): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join("  ");
}

function withKeys(entries: readonly RecentEntry[]): LogRow[] {
  const seen = new Map<string, number>();
  // From the oldest on, so that a key stays when newer ones come.
  return [...entries]
    .reverse()
    .map((entry) => {
      const name = `${entry.time} ${entry.level} ${entry.message}`;
      const n = seen.get(name) ?? 0;
      seen.set(name, n + 1);
      return { ...entry, key: `${name} ${n}` };
    })
    .reverse();
}
