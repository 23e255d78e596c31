import { Counter, Gauge, type Registry } from "@prometheus-io/client";
import { type CoreSnapshot, DEVICE_STATES } from "./observer.ts";

const PREFIX = "mouthpiece_core_";

/** What a scrape finds as it is at that moment. */
export class CoreGauges {
  readonly #registry: Registry;
  readonly #ready: Gauge;
  readonly #modelsMax: Gauge;
  readonly #replicas: Gauge;
  readonly #hostMemory: Gauge;
  readonly #hostBudget: Gauge;
  readonly #requests: Gauge<"state">;
  readonly #models: Gauge<"device">;
  readonly #memory: Gauge<"device">;
  readonly #budget: Gauge<"device">;
  readonly #resident: Gauge<"device">;
  readonly #state: Gauge<"device" | "state">;
  readonly #restarts: Counter<"device">;
  readonly #spans: Counter<"result">;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#ready = this.#gauge("ready", "1 while a device serves.");
    this.#modelsMax = this.#gauge("models_max", "Models that may be in memory.");
    this.#replicas = this.#gauge("model_replicas", "Copies beyond the first one of each model.");
    this.#hostMemory = this.#gauge("host_memory_bytes", "Memory of all models as measured.");
    this.#hostBudget = this.#gauge("host_memory_budget_bytes", "Memory that models may have.");
    this.#requests = this.#gauge("queued_requests", "Requests that wait for a load, wait or run.", [
      "state",
    ]);
    this.#models = this.#gauge("models", "Copies of models in a device's memory.", ["device"]);
    this.#memory = this.#gauge("model_memory_bytes", "Memory of a device's models as measured.", [
      "device",
    ]);
    this.#budget = this.#gauge(
      "model_memory_budget_bytes",
      "Memory that a device's models may have.",
      ["device"],
    );
    this.#resident = this.#gauge(
      "device_resident_bytes",
      "Resident memory of a device's process.",
      ["device"],
    );
    this.#state = this.#gauge("device_state", "1 for the state that a device is in, else 0.", [
      "device",
      "state",
    ]);
    this.#restarts = new Counter({
      name: `${PREFIX}device_restarts_total`,
      help: "Times a device's process was started again.",
      labelNames: ["device"],
      registers: [registry],
    });
    this.#spans = new Counter({
      name: `${PREFIX}trace_spans_total`,
      help: "Spans of traces, by what became of them.",
      labelNames: ["result"],
      registers: [registry],
    });
  }

  show(now: CoreSnapshot): void {
    this.#ready.set(now.isUp ? 1 : 0);
    this.#modelsMax.set(now.maxModels);
    this.#replicas.set(now.replicas);
    this.#hostMemory.set(now.hostMemoryBytes);
    this.#hostBudget.set(now.hostMemoryBudgetBytes);
    this.#requests.set({ state: "waiting" }, now.waitingRequests);
    this.#requests.set({ state: "running" }, now.runningRequests);
    this.#requests.set({ state: "loading" }, now.loadingRequests);
    // Counted elsewhere: what is shown is their sum.
    this.#restarts.reset();
    for (const device of now.devices) {
      const labels = { device: device.index };
      this.#models.set(labels, device.models);
      this.#memory.set(labels, device.memoryBytes);
      this.#budget.set(labels, device.memoryBudgetBytes);
      this.#resident.set(labels, device.residentBytes);
      this.#restarts.inc(labels, device.restarts);
      for (const state of DEVICE_STATES) {
        this.#state.set({ ...labels, state }, device.state === state ? 1 : 0);
      }
    }
    this.#spans.reset();
    for (const result of ["exported", "failed", "dropped"] as const) {
      if (now.spans) this.#spans.inc({ result }, now.spans[result]);
    }
  }

  #gauge<T extends string>(name: string, help: string, labelNames: readonly T[] = []) {
    const registers = [this.#registry];
    return new Gauge<T>({ name: PREFIX + name, help, labelNames, registers });
  }
}
