import { LivePart } from "./live-part.ts";
import type { Group } from "./track.ts";

/** Parts that nobody uses and that are kept: a few people begin to speak at the same moment. */
const MAX_FREE = 4;

/**
 * Coders of D, handed from session to session: making one takes as long as a
 * few frames, and who does not speak needs none.
 */
export class PartPool {
  /** The one given back last at the end. */
  readonly #free: { readonly size: string; readonly part: LivePart }[] = [];

  /** One for a D where that of the group is. What it has coded before means nothing. */
  take(group: Group): LivePart {
    const size = placeOf(group);
    const index = this.#free.findLastIndex((free) => free.size === size);
    const [found] = index < 0 ? [] : this.#free.splice(index, 1);
    return found?.part ?? new LivePart(group);
  }

  /** @param group any whose D is where the part's is */
  give(group: Group, part: LivePart): void {
    part.forget();
    this.#free.push({ size: placeOf(group), part });
    if (this.#free.length > MAX_FREE) this.#free.shift();
  }
}

/** The size and place of D, and how it is cut into slices. */
export function placeOf({ map: { columns, rows, live, slices } }: Group): string {
  return [columns, rows, live.x, live.y, live.width, live.height, slices.length].join();
}
