import type { ModelMemory } from "../engine/messages.ts";

/** A model file of n bytes takes so many times that when loaded and warm (12.2 M parameters: 3.1 x). */
const FIRST_GUESS_FACTOR = 3;
/** What a session takes however small its model is. */
const FIRST_GUESS_BYTES = 16 * 1024 ** 2;

/** Memory that a load takes or is expected to take. Release it once. */
export interface Reservation {
  readonly memory: ModelMemory;
  /** Replaces the guess by what was measured. */
  settle(memory: ModelMemory): void;
  /** Adds what it took later. */
  grow(memory: ModelMemory): void;
  release(): void;
}

/** Who has how much memory: measured where a model is loaded, remembered where it was. */
export class MemoryLedger {
  readonly #device = new Map<number, number>();
  /** By file size: exports of one network differ in weights and not in what they take. */
  readonly #measured = new Map<string, ModelMemory>();
  #hostBytes = 0;
  #usual: ModelMemory = { hostBytes: 0, deviceBytes: 0 };

  get hostBytes(): number {
    return this.#hostBytes;
  }

  /** What the last load was measured to take. */
  get usual(): ModelMemory {
    return this.#usual;
  }

  deviceBytes(device: number): number {
    return this.#device.get(device) ?? 0;
  }

  /** What a load will take. @param kind what was loaded, so that its like is known the next time */
  expect(kind: string, fileBytes: number): ModelMemory {
    const known = this.#measured.get(kind);
    if (known) return known;
    const bytes = FIRST_GUESS_FACTOR * fileBytes + FIRST_GUESS_BYTES;
    return { hostBytes: bytes, deviceBytes: bytes };
  }

  reserve(device: number, kind: string, expected: ModelMemory): Reservation {
    let memory = expected;
    let isReleased = false;
    this.#add(device, memory, 1);
    return {
      get memory() {
        return memory;
      },
      settle: (measured) => {
        if (isReleased) return;
        this.#add(device, memory, -1);
        memory = measured;
        this.#add(device, memory, 1);
        this.#remember(kind, measured);
      },
      grow: ({ hostBytes, deviceBytes }) => {
        if (isReleased) return;
        this.#add(device, { hostBytes, deviceBytes }, 1);
        memory = {
          hostBytes: memory.hostBytes + hostBytes,
          deviceBytes: memory.deviceBytes + deviceBytes,
        };
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#add(device, memory, -1);
      },
    };
  }

  /** The larger one: a load that reuses freed pages grows the process by nothing. */
  #remember(kind: string, { hostBytes, deviceBytes }: ModelMemory): void {
    const known = this.#measured.get(kind);
    this.#usual = {
      hostBytes: Math.max(hostBytes, known?.hostBytes ?? 0),
      deviceBytes: Math.max(deviceBytes, known?.deviceBytes ?? 0),
    };
    this.#measured.set(kind, this.#usual);
  }

  #add(device: number, { hostBytes, deviceBytes }: ModelMemory, sign: 1 | -1): void {
    this.#hostBytes += sign * hostBytes;
    this.#device.set(device, this.deviceBytes(device) + sign * deviceBytes);
  }
}
