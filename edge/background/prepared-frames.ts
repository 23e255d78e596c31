import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { PackReader } from "../../avatar/pack-reader.ts";
import type { Delivery } from "../compositor/delivery.ts";
import { type PreparedFrame, readPreparedFrame } from "../compositor/splicer.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import type { ImageFormat } from "../speak/image-format.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { FramePacks } from "./frame-packs.ts";
import { type FramePreparer, frameShape } from "./frame-preparer.ts";
import { LoadingCache } from "./loading-cache.ts";
import { checkFrameIndex, type PlainFrames } from "./plain-frames.ts";

export interface PreparedFramesOptions {
  readonly plain: PlainFrames;
  readonly packs: FramePacks;
  /** For avatars that were published without packs. */
  readonly preparer: FramePreparer;
  /** How their JPEG frames are coded. */
  readonly jpeg: { readonly quality: number; readonly subsampling: "4:2:0" | "4:4:4" };
  /** Of prepared frames, of all avatars together. */
  readonly maxBytes: number;
  /** Of frames that are read before they are needed, for all who speak together. Default: no bound. */
  readonly ahead?: ByteBudget;
  readonly sharing?: Sharing;
  /** How much care PNG frames get that are prepared here. Default `full`, as in a pack. */
  readonly pngEffort?: "full" | "fast";
}

/** What happened since the start, and what is held now. */
export interface PreparedFramesStats {
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly frames: number;
  readonly bytes: number;
}

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
  readonly format: ImageFormat;
  /** The entry, where it comes with its neighbours. */
  readonly bytes: Promise<Uint8Array<ArrayBuffer>> | null;
}

/** Of frames that are read together: one read instead of many, and none that is long. */
const GROUP_BYTES = 1024 * 1024;
/** Half a second. */
const MAX_GROUP = 12;

/**
 * Prepared frames of all avatars, least recently used out first, bounded in
 * bytes. A frame comes from the avatar's pack as it is, or is prepared when it
 * is first asked for; both give the same bytes.
 */
export class PreparedFrames {
  readonly #options: PreparedFramesOptions;
  readonly #frames: LoadingCache<PreparedFrame, Wanted>;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: PreparedFramesOptions) {
    this.#options = options;
    this.#frames = new LoadingCache<PreparedFrame, Wanted>({
      maxBytes: options.maxBytes,
      sizeOf: ({ entry }) => entry.head.length + entry.live.length + entry.tail.length,
      sharing: options.sharing ?? FREE_SHARING,
      load: (wanted) => this.#make(wanted),
      onEvict: () => {
        this.#evictions++;
      },
    });
  }

  get stats(): PreparedFramesStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      frames: this.#frames.size,
      bytes: this.#frames.bytes,
    };
  }

  /**
   * Frame `index`, read or prepared once however many ask.
   * @throws AvatarError, ImageError, PreparedFrameError
   */
  async get(avatar: PublishedAvatar, index: number, format: ImageFormat): Promise<PreparedFrame> {
    checkFrameIndex(avatar, index);
    const key = keyOf(avatar, index, format);
    if (this.#frames.has(key)) this.#hits++;
    else this.#misses++;
    return this.#frames.get(key, { avatar, index, format, bytes: null });
  }

  /**
   * Starts on those of the frames that are not there yet: neighbours in a pack
   * are read together. What fails shows when the frame is needed.
   * @param indices in the order in which they will be asked for
   */
  readAhead(avatar: PublishedAvatar, indices: readonly number[], format: ImageFormat): void {
    // In a loop that is all there, which is the rule, this is the end of it.
    if (!indices.some((index) => this.#isMissing(avatar, index, format))) return;
    this.#readAhead(avatar, indices, format).catch(() => {});
  }

  #isMissing(avatar: PublishedAvatar, index: number, format: ImageFormat): boolean {
    const key = keyOf(avatar, index, format);
    return !this.#frames.has(key) && !this.#frames.isLoading(key);
  }

  async #readAhead(avatar: PublishedAvatar, indices: readonly number[], format: ImageFormat) {
    const pack = await this.#options.packs.open(avatar, format);
    const missing = indices.filter((index) => this.#isMissing(avatar, index, format));
    if (!pack) {
      for (const index of missing.slice(0, this.#options.preparer.parallel)) {
        this.#begin({ avatar, index, format, bytes: null });
      }
      return;
    }
    for (const index of missing) {
      if (!this.#isMissing(avatar, index, format)) continue;
      const group = groupOf(pack, index);
      // Who finds no room reads each group when it is needed.
      const room = this.#options.ahead?.room ?? Number.POSITIVE_INFINITY;
      if (pack.spanBytes(...group) > room) return;
      this.#readGroup(pack, group, { avatar, format }).catch(() => {});
    }
  }

  /** Reads neighbours with one read, and begins on those that nobody has begun on. */
  #readGroup(
    pack: PackReader,
    [low, high]: Group,
    { avatar, format }: Pick<Wanted, "avatar" | "format">,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    const giveBack = this.#options.ahead?.take(pack.spanBytes(low, high));
    const span = pack.readSpan(low, high).finally(giveBack);
    for (let index = low; index <= high; index++) {
      if (!this.#isMissing(avatar, index, format)) continue;
      const bytes = span.then((entries) => entries[index - low]!);
      this.#begin({ avatar, index, format, bytes });
    }
    return span;
  }

  #begin(wanted: Wanted): void {
    // Nobody may wait for it: the frame may be on its way already.
    wanted.bytes?.catch(() => {});
    this.#frames.get(keyOf(wanted.avatar, wanted.index, wanted.format), wanted).catch(() => {});
  }

  async #make({ avatar, index, format, bytes }: Wanted): Promise<PreparedFrame> {
    const frame = readPreparedFrame(await (bytes ?? this.#read(avatar, index, format)));
    checkShape(frame, avatar, index, format);
    return frame;
  }

  async #read(avatar: PublishedAvatar, index: number, format: ImageFormat) {
    const { packs, plain, preparer } = this.#options;
    const pack = await packs.open(avatar, format);
    if (pack) {
      const group = groupOf(pack, index);
      try {
        const entries = await this.#readGroup(pack, group, { avatar, format });
        return entries[index - group[0]]!;
      } catch (error) {
        // It may be a neighbour that is damaged.
        if (!(error instanceof AvatarError) || error.code !== "damaged") throw error;
        return pack.read(index);
      }
    }
    const file = await plain.read(avatar, index);
    return preparer.prepare(file, frameShape(avatar, index), this.#delivery(avatar, format));
  }

  #delivery({ manifest }: PublishedAvatar, format: ImageFormat): Delivery {
    const { jpeg, pngEffort: effort = "full" } = this.#options;
    const { softEdge = 0 } = manifest;
    return format === "png" ? { format, softEdge, effort } : { format, softEdge, ...jpeg };
  }
}

function keyOf({ prefix }: PublishedAvatar, index: number, format: ImageFormat): string {
  return `${prefix}${format}/${index}`;
}

/** First and last, both included. */
type Group = readonly [low: number, high: number];

/**
 * The frames of a pack that are read together with frame `index`. They are the
 * same wherever reading begins, so that a cache of ranges on the way to the
 * store is of use to whoever comes next.
 */
function groupOf(pack: PackReader, index: number): Group {
  const last = pack.count - 1;
  const meanBytes = Math.max(1, pack.spanBytes(0, last) / pack.count);
  const size = Math.max(1, Math.min(MAX_GROUP, Math.floor(GROUP_BYTES / meanBytes)));
  const low = index - (index % size);
  const group = [low, Math.min(low + size - 1, last)] as const;
  // One that is far from the mean is read alone.
  return pack.spanBytes(...group) > 2 * GROUP_BYTES ? [index, index] : group;
}

/** A pack may be sound, and yet not belong to this avatar. */
function checkShape(
  { entry, format }: PreparedFrame,
  avatar: PublishedAvatar,
  index: number,
  wanted: ImageFormat,
): void {
  const { width, height, region } = frameShape(avatar, index);
  const fits =
    format === wanted &&
    entry.width === width &&
    entry.height === height &&
    entry.region.x === region.x &&
    entry.region.y === region.y &&
    entry.region.width === region.width &&
    entry.region.height === region.height;
  if (fits) return;
  throw new AvatarError(
    "invalid_avatar",
    `the prepared ${wanted} frame ${index} of ${avatar.summary.id} is not that of its manifest: publish it again`,
  );
}
