import type { Rectangle } from "../../../avatar/rectangle.ts";
import { softSides } from "../band.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { PartCoder, type PartRequest } from "./part-coder.ts";
import type { Picture } from "./picture.ts";
import { SourceReader } from "./source-reader.ts";
import type { Group, Track, TrackFrame } from "./track.ts";

/** A frame's D that is coded now. */
export interface LiveRequest extends Omit<PartRequest, "effort"> {
  readonly track: Track;
  readonly group: Group;
  /** Of the frame within its group. */
  readonly index: number;
  /** 8-bit RGB [region.height, region.width, 3]; null for the background alone. */
  readonly mouth: Uint8Array | null;
}

/** Codes D for one session: keeps two pictures of it, and two of its source. */
export class LivePart {
  readonly #coder: PartCoder;
  readonly #source: SourceReader;

  /** @param group any of those whose D is where this one's is */
  constructor(group: Group) {
    this.#coder = new PartCoder(group.map, "live");
    this.#source = new SourceReader(group);
  }

  /** Lets go of what it has read: somebody else may use it next. */
  forget(): void {
    this.#source.forget();
  }

  /** D as its viewers have it. */
  reconstruction(): Picture {
    return this.#coder.coder.reconstruction();
  }

  /**
   * Takes the published D over, as viewers have it who were shown a group from one of its
   * key pictures up to a frame.
   * @param keyIndex of the key picture, within the group
   * @param end index behind the last frame that was shown
   * @returns whether that could be
   */
  followPublished({ frames }: Group, keyIndex: number, end: number): boolean {
    for (let index = keyIndex; index < end; index++) {
      const { picture, keyPicture } = frames[index]!;
      const isKey = index === keyIndex;
      const { idle } = isKey && index > 0 ? keyPicture! : picture;
      if (!this.#coder.decode(idle, isKey)) return false;
    }
    return true;
  }

  /**
   * Codes D.
   * @returns the RBSP of its slices; those of the call before are gone then
   * @throws PreparedFrameError when the track is damaged
   */
  code(request: LiveRequest): readonly Uint8Array[] {
    const { track, group, index, mouth } = request;
    const frame = group.frames[index]!;
    this.#source.read(group, index);
    const source = this.#source.decoder.coder;
    const { coder } = this.#coder;
    coder.takeSource(source);
    // As the background was coded, with all the time in the world, it is coded best.
    if (this.#source.decoder.skim(frame.picture.idle, index === 0)) {
      coder.setHints(source.hints(), mouth ? macroblocksOf(group, frame) : null);
    } else {
      throw new PreparedFrameError(`the background of its frame ${index} is damaged`);
    }
    if (mouth) {
      const { region } = frame;
      const { x, y } = group.map.live;
      const place = { ...region, x: region.x - x * 16, y: region.y - y * 16 };
      coder.placeRgb(mouth, place, track.softEdge, softSides(track.format, region));
    }
    const { slices } = this.#coder;
    const coded: Uint8Array[] = [];
    this.#coder.code({ ...request, effort: "live" }, (rbsp) => {
      coded.push(slices.length > 1 ? rbsp.slice() : rbsp);
    });
    return coded;
  }
}

/** Where the mouth is, among the macroblocks of D. */
function macroblocksOf({ map: { live } }: Group, { region }: TrackFrame): Rectangle {
  const x = Math.floor(region.x / 16);
  const y = Math.floor(region.y / 16);
  const width = Math.ceil((region.x + region.width) / 16) - x;
  const height = Math.ceil((region.y + region.height) / 16) - y;
  return { x: x - live.x, y: y - live.y, width, height };
}
