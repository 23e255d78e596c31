import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { findTrack } from "../../avatar/manifest.ts";
import type { PackReader } from "../../avatar/pack-reader.ts";
import { decodeGroupEntry, MAX_GROUP_BYTES } from "../compositor/h264/group-entry.ts";
import type { StreamFormat } from "../compositor/h264/parameter-sets.ts";
import { PartPool } from "../compositor/h264/part-pool.ts";
import type { SliceMode } from "../compositor/h264/slice-map.ts";
import type { Group, Track, TrackFrame } from "../compositor/h264/track.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import type { FramePacks } from "./frame-packs.ts";
import { type CacheStats, LoadingCache } from "./loading-cache.ts";
import { type PlannedGroup, placesOf, planLoop } from "./video-loop.ts";

export interface VideoTracksOptions {
  readonly packs: FramePacks;
  /** Of groups of all avatars together. */
  readonly maxBytes: number;
  readonly sharing?: Sharing;
}

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly pack: PackReader;
  readonly entry: number;
  readonly planned: PlannedGroup;
}

interface LoadedGroup {
  readonly group: Group;
  readonly bytes: number;
}

/** Memory that a view of a slice takes beside its bytes, about. */
const VIEW_BYTES = 128;
/** Plans of loops that are kept; one has a few KB. */
const MAX_PLANS = 1000;

/** Video tracks of all avatars: groups are read when they come up, and kept within a budget. */
export class VideoTracks {
  readonly #packs: FramePacks;
  readonly #groups: LoadingCache<LoadedGroup, Wanted>;
  /** By the avatar's prefix, the one used last at the end. */
  readonly #plans = new Map<string, readonly PlannedGroup[]>();

  constructor({ packs, maxBytes, sharing = FREE_SHARING }: VideoTracksOptions) {
    this.#packs = packs;
    this.#groups = new LoadingCache<LoadedGroup, Wanted>({
      maxBytes,
      sizeOf: ({ bytes }) => bytes,
      sharing,
      load: readGroup,
    });
  }

  /** Coders of mouths, for all who speak. */
  readonly parts = new PartPool();

  /** Of groups of frames. */
  get stats(): CacheStats {
    return this.#groups.stats;
  }

  /**
   * The renditions of an avatar's video, the finest first; none when it was
   * published without. Each is for one session.
   * @throws AvatarError
   */
  async open(avatar: PublishedAvatar): Promise<readonly StoredTrack[]> {
    const track = findTrack(avatar.manifest, "h264");
    const pack = await this.#packs.open(avatar, "h264");
    if (!track || !pack) return [];
    const { mode, renditions } = track.options;
    const plan = this.#plan(avatar, track.options);
    if (pack.count !== plan.length * renditions.length) {
      throw new AvatarError(
        "invalid_avatar",
        `the video of ${avatar.summary.id} has ${pack.count} groups for ${renditions.length} times ${plan.length}: publish it again`,
      );
    }
    const { width, height, fps, softEdge = 0 } = avatar.manifest;
    // All have the same parameter sets, so that a film may go from one to another.
    const most = Math.max(...renditions.map((each) => each.maxKilobitsPerSecond));
    const format = { width, height, framesPerSecond: fps, maxKilobitsPerSecond: most };
    return renditions.map(({ intraQp, interQp, maxKilobitsPerSecond }, rendition) => {
      const load = async (n: number): Promise<Group> => {
        const entry = rendition * plan.length + n;
        const wanted = { avatar, pack, entry, planned: plan[n]! };
        return (await this.#groups.get(`${avatar.prefix}${entry}`, wanted)).group;
      };
      // A level allows as much again for mouths.
      const peakKilobits = maxKilobitsPerSecond / 2;
      return new StoredTrack({
        ...{ format, mode, softEdge, intraQp, interQp },
        ...{ peakKilobits, plan, load },
      });
    });
  }

  #plan({ prefix, manifest }: PublishedAvatar, options: { mode: SliceMode; groupFrames: number }) {
    const plan = this.#plans.get(prefix) ?? planLoop(manifest, options);
    this.#plans.delete(prefix);
    this.#plans.set(prefix, plan);
    const oldest = this.#plans.keys().next();
    if (this.#plans.size > MAX_PLANS && !oldest.done) this.#plans.delete(oldest.value);
    return plan;
  }
}

async function readGroup({ avatar, pack, entry, planned }: Wanted): Promise<LoadedGroup> {
  if (pack.entryBytes(entry) > MAX_GROUP_BYTES) {
    throw new AvatarError(
      "invalid_avatar",
      `group ${entry} of the video of ${avatar.summary.id} has ${pack.entryBytes(entry)} bytes, and ${MAX_GROUP_BYTES} are allowed: publish it with coarser --renditions`,
    );
  }
  const bytes = await pack.read(entry);
  const { map, start, end } = planned;
  const group = decodeGroupEntry(bytes, map, placesOf(avatar.manifest, start, end));
  const views = group.frames.reduce((sum, frame) => sum + viewsOf(frame), 0);
  return { group, bytes: bytes.length + views * VIEW_BYTES };
}

function viewsOf({ picture, keyPicture, source }: TrackFrame): number {
  const key = keyPicture ? keyPicture.fixed.length + keyPicture.idle.length : 0;
  return picture.fixed.length + picture.idle.length + key + source.length;
}

interface StoredTrackParts extends Omit<Track, "groups"> {
  readonly peakKilobits: number;
  readonly plan: readonly PlannedGroup[];
  readonly load: (group: number) => Promise<Group>;
}

/** A track whose groups have to be loaded before a session comes to them. */
export class StoredTrack implements Track {
  readonly format: StreamFormat;
  readonly mode: SliceMode;
  readonly softEdge: number;
  readonly intraQp: number;
  readonly interQp: number;
  /** Of the silent avatar, in the second with the most bits, per second. */
  readonly peakKilobits: number;
  readonly groups: readonly StoredGroup[];
  readonly #plan: readonly PlannedGroup[];
  readonly #load: StoredTrackParts["load"];

  constructor(parts: StoredTrackParts) {
    const { format, mode, softEdge, intraQp, interQp, peakKilobits, plan, load } = parts;
    this.peakKilobits = peakKilobits;
    this.format = format;
    this.mode = mode;
    this.softEdge = softEdge;
    this.intraQp = intraQp;
    this.interQp = interQp;
    this.groups = plan.map((planned) => new StoredGroup(planned));
    this.#plan = plan;
    this.#load = load;
  }

  /** Of the whole loop. */
  get length(): number {
    return this.#plan.at(-1)?.end ?? 0;
  }

  /** The group that a position of the loop is in. */
  groupAt(position: number): number {
    return this.#plan.findIndex(({ end }) => position < end);
  }

  /** Position of a group's first frame. */
  startOf(group: number): number {
    return this.#plan[group]!.start;
  }

  /**
   * Makes a group's frames be there, and lets the others go.
   * @throws AvatarError, PreparedFrameError
   */
  async load(group: number): Promise<Group> {
    const wanted = this.groups[group]!;
    if (!wanted.isLoaded) {
      const loaded = await this.#load(group);
      for (const other of this.groups) other.unload();
      wanted.frames = loaded.frames;
    }
    return wanted;
  }

  /** Has a group read so that `load` need not wait. What fails shows there. */
  loadAhead(group: number): void {
    if (!this.groups[group]!.isLoaded) this.#load(group).catch(() => {});
  }
}

/** A group of a stored track: its frames are there between `load` and the next one's. */
class StoredGroup implements Group {
  readonly map: Group["map"];
  readonly length: number;
  #frames: readonly TrackFrame[] | null = null;

  constructor({ map, start, end }: PlannedGroup) {
    this.map = map;
    this.length = end - start;
  }

  get isLoaded(): boolean {
    return this.#frames !== null;
  }

  /** @throws TypeError while they are not loaded */
  get frames(): readonly TrackFrame[] {
    if (this.#frames) return this.#frames;
    throw new TypeError("a group was used that is not loaded");
  }

  set frames(frames: readonly TrackFrame[]) {
    this.#frames = frames;
  }

  unload(): void {
    this.#frames = null;
  }
}
