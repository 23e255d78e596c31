import type { CoreConfig } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { ModelMemory } from "../engine/messages.ts";
import type { EvictionReason } from "../observe/observer.ts";
import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { EvictionPolicy } from "./eviction.ts";
import { type LoadSize, MemoryLedger, type Reservation } from "./memory-ledger.ts";
import { Placer } from "./placement.ts";
import { memoryOf, type Replica } from "./replica.ts";

const GIGABYTE = 1024 ** 3;
/** A replica that was loaded for a request is not evicted before that request takes it. */
const UNUSED_GRACE_MS = 2000;

/** What admission asks of the registry. */
export interface Residents {
  /** All that are in service. */
  replicas(): readonly Replica[];
  /** Models in memory or on their way into it. */
  modelCount(): number;
  evict(victim: Replica, reason: EvictionReason): void;
}

export interface AdmissionRequest {
  readonly size: LoadSize;
  readonly preferredGpu: number | undefined;
  /** Models that come in addition: 0 for a replica or a new version. */
  readonly newModels: 0 | 1;
  /** Workers that cannot take it. */
  readonly except: readonly WorkerScheduler[];
}

/**
 * Lets a model in only where there is memory for it: per device, on the host,
 * and by number. Others leave for it by the policy, never one in use.
 */
export class Admission {
  readonly ledger = new MemoryLedger();
  readonly #config: CoreConfig;
  readonly #schedulers: readonly WorkerScheduler[];
  readonly #residents: Residents;
  readonly #policy: EvictionPolicy;
  readonly #placer: Placer;
  readonly #now: () => number;

  constructor(
    config: CoreConfig,
    schedulers: readonly WorkerScheduler[],
    residents: Residents,
    policy: EvictionPolicy,
    now: () => number,
  ) {
    this.#config = config;
    this.#schedulers = schedulers;
    this.#residents = residents;
    this.#policy = policy;
    this.#placer = new Placer(config.gpus.assignment_strategy);
    this.#now = now;
  }

  /**
   * Chooses the worker, makes room on it and reserves what the load will take.
   * @throws CoreError `resource_exhausted` when everything that could leave is
   * in use, `failed_precondition` when it can never fit, `unavailable` when no device is up
   */
  admit(request: AdmissionRequest): { scheduler: WorkerScheduler; memory: Reservation } {
    const expected = this.ledger.expect(request.size);
    const up = this.#schedulers.filter(
      (scheduler) =>
        scheduler.worker.device.state === "ready" && !request.except.includes(scheduler),
    );
    if (up.length === 0) {
      throw new CoreError("unavailable", "no device is up: try again shortly", {
        reason: "no_device",
      });
    }
    this.#checkPossible(up, expected);
    // Nobody leaves for a load that there would still be no room for.
    const able = up.filter((scheduler) => this.#couldFitDevice(scheduler, expected));
    if (able.length === 0 || !this.#couldFitHost(expected)) throw this.#allInUse();
    this.#makeGeneralRoom(request.newModels, expected);
    const scheduler = this.#choose(able, expected, request.preferredGpu);
    this.#makeRoomOn(scheduler, expected);
    const { index } = scheduler.worker.device;
    return { scheduler, memory: this.ledger.reserve(index, request.size) };
  }

  /**
   * Makes room for a replica's session on tensors and reserves it, once.
   * @throws CoreError `resource_exhausted` when everything that could leave is in use
   */
  admitTensors(replica: Replica): void {
    if (!replica.tensorSize || replica.tensorMemory) return;
    const { scheduler, tensorSize } = replica;
    const expected = this.ledger.expect(tensorSize);
    if (!this.#couldFitDevice(scheduler, expected) || !this.#couldFitHost(expected)) {
      throw this.#allInUse();
    }
    this.#makeGeneralRoom(0, expected);
    this.#makeRoomOn(scheduler, expected);
    replica.tensorMemory = this.ledger.reserve(scheduler.worker.device.index, tensorSize);
  }

  /** Whether a device has free memory for another model of the usual size. */
  hasRoom(scheduler: WorkerScheduler): boolean {
    const usual = this.ledger.usual;
    return this.#fitsDevice(scheduler, usual) && this.#fitsHost(usual);
  }

  /** After a load took more than expected: brings device and host back below their budgets, as far as idle models allow. */
  trim(scheduler: WorkerScheduler): void {
    const nothing = { hostBytes: 0, deviceBytes: 0 };
    while (!this.#fitsDevice(scheduler, nothing) && this.#evictFrom(scheduler)) {}
    while (!this.#fitsHost(nothing) && this.#evictFrom(null)) {}
  }

  /**
   * After a load for which there was less memory than the ledger has: one idle
   * model of the device leaves, or else the device is left out.
   * @returns workers to leave out the next time; null when no other way is left
   */
  makeSpace(
    full: WorkerScheduler,
    except: readonly WorkerScheduler[],
  ): readonly WorkerScheduler[] | null {
    if (this.#evictFrom(full)) return except;
    const out = this.#schedulers.filter(
      (each) => each.worker.device === full.worker.device || except.includes(each),
    );
    const hasOther = this.#schedulers.some(
      (each) => each.worker.device.state === "ready" && !out.includes(each),
    );
    return hasOther ? out : null;
  }

  #checkPossible(up: readonly WorkerScheduler[], { hostBytes, deviceBytes }: ModelMemory): void {
    const largest = Math.max(...up.map(({ worker }) => worker.device.memoryBudgetBytes));
    if (deviceBytes <= largest && hostBytes <= this.#hostBudgetBytes) return;
    throw new CoreError(
      "failed_precondition",
      `it takes about ${megabytes(deviceBytes)} of a device and ${megabytes(hostBytes)} of the host, and the budgets are ${megabytes(largest)} and ${megabytes(this.#hostBudgetBytes)}: raise gpus.memory_gb_per_gpu and capacity.max_memory_gb`,
    );
  }

  #makeGeneralRoom(newModels: number, expected: ModelMemory): void {
    const limit = this.#config.capacity.max_models;
    while (this.#residents.modelCount() + newModels > limit) {
      if (!this.#evictModel()) throw this.#allInUse();
    }
    while (!this.#fitsHost(expected)) if (!this.#evictFrom(null)) throw this.#allInUse();
  }

  /** @param able workers whose device has room or can make it */
  #choose(
    able: readonly WorkerScheduler[],
    expected: ModelMemory,
    preferredGpu: number | undefined,
  ): WorkerScheduler {
    const replicas = this.#residents.replicas();
    const asLoad = (scheduler: WorkerScheduler) => ({
      scheduler,
      models: replicas.filter((replica) => replica.scheduler === scheduler).length,
    });
    const roomy = able.filter((scheduler) => this.#fitsDevice(scheduler, expected));
    // Preferred is a device while it has room.
    const chosen = this.#placer.choose(roomy.map(asLoad), preferredGpu);
    if (chosen) return chosen;
    // Without room anywhere, the device of the model that is missed least makes it.
    const devices = new Set(able.map(({ worker }) => worker.device));
    const victim = this.#pickVictim(({ scheduler }) => devices.has(scheduler.worker.device));
    const there = able.filter(({ worker }) => worker.device === victim?.scheduler.worker.device);
    const maker = this.#placer.choose(there.map(asLoad), undefined);
    if (!maker) throw this.#allInUse();
    return maker;
  }

  #makeRoomOn(scheduler: WorkerScheduler, expected: ModelMemory): void {
    while (!this.#fitsDevice(scheduler, expected)) {
      if (!this.#evictFrom(scheduler)) throw this.#allInUse();
    }
  }

  get #hostBudgetBytes(): number {
    return this.#config.capacity.max_memory_gb * GIGABYTE;
  }

  #fitsHost({ hostBytes }: ModelMemory): boolean {
    return this.ledger.hostBytes + hostBytes <= this.#hostBudgetBytes;
  }

  #fitsDevice({ worker }: WorkerScheduler, { deviceBytes }: ModelMemory): boolean {
    const { index, memoryBudgetBytes } = worker.device;
    return this.ledger.deviceBytes(index) + deviceBytes <= memoryBudgetBytes;
  }

  #couldFitHost({ hostBytes }: ModelMemory): boolean {
    const evictable = this.#evictable(() => true);
    const givableBytes = evictable.reduce((sum, replica) => sum + memoryOf(replica).hostBytes, 0);
    return this.#fitsHost({ hostBytes: hostBytes - givableBytes, deviceBytes: 0 });
  }

  #couldFitDevice(scheduler: WorkerScheduler, { deviceBytes }: ModelMemory): boolean {
    const { device } = scheduler.worker;
    const evictable = this.#evictable((replica) => replica.scheduler.worker.device === device);
    const givableBytes = evictable.reduce((sum, replica) => sum + memoryOf(replica).deviceBytes, 0);
    return this.#fitsDevice(scheduler, { hostBytes: 0, deviceBytes: deviceBytes - givableBytes });
  }

  /** Replicas that may leave now. */
  #evictable(accepts: (replica: Replica) => boolean): Replica[] {
    const now = this.#now();
    return this.#residents.replicas().filter((replica) => {
      if (replica.leases > 0 || !accepts(replica)) return false;
      return !replica.isUnused || now - replica.createdMs >= UNUSED_GRACE_MS;
    });
  }

  /** Ends the one model that is missed least, with all of its copies. @returns false when all are in use */
  #evictModel(): boolean {
    const evictable = new Set(this.#evictable(() => true));
    const replicas = this.#residents.replicas();
    const inUse = replicas.filter((replica) => !evictable.has(replica));
    const kept = new Set(inUse.map(({ model }) => model.id));
    const victim = this.#pickVictim(({ model }) => !kept.has(model.id), false);
    if (!victim) return false;
    for (const replica of replicas) {
      if (replica.model.id === victim.model.id) this.#residents.evict(replica, "capacity");
    }
    return true;
  }

  /** @param from whose device has to give; null for any. @returns false when all are in use */
  #evictFrom(from: WorkerScheduler | null): boolean {
    const victim = this.#pickVictim(
      (replica) => from === null || replica.scheduler.worker.device === from.worker.device,
    );
    if (victim) this.#residents.evict(victim, "memory");
    return victim !== null;
  }

  /** @param spareFirst whether a second copy goes before anybody's only one */
  #pickVictim(accepts: (replica: Replica) => boolean, spareFirst = true): Replica | null {
    const replicas = this.#residents.replicas();
    const copies = new Map<string, number>();
    for (const { model } of replicas) copies.set(model.id, (copies.get(model.id) ?? 0) + 1);
    let victim: Replica | null = null;
    let isVictimSpare = false;
    for (const replica of this.#evictable(accepts)) {
      const isSpare = spareFirst && copies.get(replica.model.id)! > 1;
      const isLower =
        victim === null ||
        (isSpare === isVictimSpare
          ? this.#policy.rank(replica.model.id) < this.#policy.rank(victim.model.id)
          : isSpare);
      if (!isLower) continue;
      victim = replica;
      isVictimSpare = isSpare;
    }
    return victim;
  }

  #allInUse(): CoreError {
    return new CoreError(
      "resource_exhausted",
      `all ${this.#residents.modelCount()} models in memory are in use: try again shortly, or raise capacity.max_models, capacity.max_memory_gb and gpus.memory_gb_per_gpu`,
      { retryAfterMs: 1000, reason: "models_in_use" },
    );
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}
