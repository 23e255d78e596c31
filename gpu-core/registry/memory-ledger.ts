import type { ModelMemory } from "../engine/messages.ts";

/** A model file of n bytes takes so many times that when loaded and warm (12.2 M parameters: 3.1 x). */
const FIRST_GUESS_FACTOR = 3;
/** What a session takes however small its model is. */
const FIRST_GUESS_BYTES = 16 * 1024 ** 2;
/**
 * Of a file's size: at least its weights are in memory, at fp16 half as large.
 * A load that was measured to take less has reused what an earlier one freed.
 */
const LEAST_FACTOR = 0.5;
/** Measurements of a kind that count: the next to largest of them, so that one outlier says nothing. */
const MEASUREMENTS = 8;

/** What is loaded. */
export interface LoadSize {
  /** Loads of a kind take the same: exports of one network differ in weights and not in size. */
  readonly kind: string;
  readonly fileBytes: number;
}

/** Memory that a load takes or is expected to take. Release it once. */
export interface Reservation {
  readonly memory: ModelMemory;
  /** Corrects the guess by what was measured, of this load and of those like it. */
  settle(measured: ModelMemory): void;
  release(): void;
}

/** Who has how much memory: measured where a model is loaded, remembered where it was. */
export class MemoryLedger {
  readonly #device = new Map<number, number>();
  /** By kind, the latest last. */
  readonly #measured = new Map<string, ModelMemory[]>();
  #hostBytes = 0;
  #usual: ModelMemory = { hostBytes: 0, deviceBytes: 0 };

  get hostBytes(): number {
    return this.#hostBytes;
  }

  /** What loads like the last one take. */
  get usual(): ModelMemory {
    return this.#usual;
  }

  deviceBytes(device: number): number {
    return this.#device.get(device) ?? 0;
  }

  /** What a load will take. */
  expect({ kind, fileBytes }: LoadSize): ModelMemory {
    const measured = this.#measured.get(kind);
    if (measured) {
      return {
        hostBytes: usualOf(measured.map(({ hostBytes }) => hostBytes)),
        deviceBytes: usualOf(measured.map(({ deviceBytes }) => deviceBytes)),
      };
    }
    const bytes = FIRST_GUESS_FACTOR * fileBytes + FIRST_GUESS_BYTES;
    return { hostBytes: bytes, deviceBytes: bytes };
  }

  /** Books what the load is expected to take. */
  reserve(device: number, size: LoadSize): Reservation {
    let memory = this.expect(size);
    let isReleased = false;
    this.#add(device, memory, 1);
    return {
      get memory() {
        return memory;
      },
      settle: (measured) => {
        if (isReleased) return;
        this.#add(device, memory, -1);
        this.#remember(size, measured);
        memory = this.#usual = this.expect(size);
        this.#add(device, memory, 1);
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#add(device, memory, -1);
      },
    };
  }

  #remember({ kind, fileBytes }: LoadSize, measured: ModelMemory): void {
    if (measured.deviceBytes < LEAST_FACTOR * fileBytes) return;
    const before = this.#measured.get(kind) ?? [];
    this.#measured.set(kind, [...before, measured].slice(-MEASUREMENTS));
  }

  #add(device: number, { hostBytes, deviceBytes }: ModelMemory, sign: 1 | -1): void {
    this.#hostBytes += sign * hostBytes;
    this.#device.set(device, this.deviceBytes(device) + sign * deviceBytes);
  }
}

/** The next to largest; the largest of one or two, of which none can be told to be an outlier. */
function usualOf(values: readonly number[]): number {
  const [largest = 0, next = 0] = values.toSorted((a, b) => b - a);
  return values.length > 2 ? next : largest;
}
