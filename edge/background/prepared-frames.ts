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
const MAX_SPAN_BYTES = 4 * 1024 * 1024;

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
    const [first] = missing;
    if (first === undefined) return;
    if (!pack) {
      for (const index of missing.slice(0, this.#options.preparer.parallel)) {
        this.#begin({ avatar, index, format, bytes: null });
      }
      return;
    }
    // Not one by one as they move into sight.
    if (first !== indices[0] && missing.length < indices.length / 2) return;
    const { ahead } = this.#options;
    const longest = Math.min(MAX_SPAN_BYTES, ahead?.room ?? MAX_SPAN_BYTES);
    // Who finds no room reads each frame when it is needed.
    if (pack.entryBytes(first) > longest) return;
    const [low, high] = spanOf(missing, pack, longest);
    const giveBack = ahead?.take(pack.spanBytes(low, high));
    const span = pack.readSpan(low, high).finally(giveBack);
    for (let index = low; index <= high; index++) {
      const bytes = span.then((entries) => entries[index - low]!);
      this.#begin({ avatar, index, format, bytes });
    }
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
    if (pack) return pack.read(index);
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

/** The neighbours among the missing, from the first one on, in whichever direction they lie. */
function spanOf(
  missing: readonly number[],
  pack: PackReader,
  longest: number,
): [low: number, high: number] {
  let low = missing[0]!;
  let high = low;
  for (const index of missing) {
    if (index !== high + 1 && index !== low - 1) continue;
    const [first, last] = [Math.min(low, index), Math.max(high, index)];
    if (pack.spanBytes(first, last) > longest) break;
    [low, high] = [first, last];
  }
  return [low, high];
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
