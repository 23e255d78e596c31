import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { crc32 } from "../../avatar/image/crc32.ts";
import type { Manifest } from "../../avatar/manifest.ts";
import type { ByteRange, ObjectStore } from "../../avatar/object-store.ts";
import { encodePackIndex } from "../../avatar/pack.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";

/** Objects in memory, and what was read of them. */
export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly reads: { key: string; range: ByteRange | undefined }[] = [];

  async read(key: string, { range }: { range?: ByteRange } = {}) {
    this.reads.push({ key, range });
    const bytes = this.objects.get(key);
    return bytes?.slice(range?.start, range?.end) ?? null;
  }

  async list(prefix: string) {
    const names = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length).split("/")[0]!);
    return [...new Set(names)].sort();
  }
}

/** A pack of these entries, and what the manifest says of it. */
export function packOf(entries: readonly Uint8Array[]) {
  const index = encodePackIndex(
    entries.map((entry) => ({ bytes: entry.length, crc32: crc32(entry) })),
    {},
  );
  const bytes = new Uint8Array(Buffer.concat([index, ...entries]));
  const stored = {
    bytes: bytes.length,
    sha256: bytesToHex(sha256(bytes)),
    indexBytes: index.length,
    indexSha256: bytesToHex(sha256(index)),
  };
  return { bytes, stored };
}

export interface PackedAvatar {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** One per frame. */
  readonly regions: readonly Rectangle[];
  readonly packs: Readonly<Partial<Record<"png" | "jpeg" | "mouth", readonly Uint8Array[]>>>;
  /** Plain frames, as PNG files. */
  readonly files?: readonly Uint8Array[];
}

/** Puts an avatar's frames into the store; of its models there is no more than their names. */
export function storeAvatar(store: MemoryStore, avatar: PackedAvatar): PublishedAvatar {
  const { id, width, height, regions } = avatar;
  const prefix = `avatars/${id}/1/`;
  const tracks = Object.entries(avatar.packs).map(([kind, entries]) => {
    const { bytes, stored } = packOf(entries);
    store.objects.set(`${prefix}${kind}.pack`, bytes);
    return { kind, file: `${kind}.pack`, ...stored, options: {} };
  });
  for (const [n, file] of (avatar.files ?? []).entries()) {
    const name = `frames/${String(n).padStart(6, "0")}.png`;
    store.objects.set(prefix + name, new Uint8Array(file));
  }
  const digests = new Uint8Array(Buffer.concat((avatar.files ?? []).map((file) => sha256(file))));
  store.objects.set(`${prefix}frames.sha256`, digests);
  const nothing = { file: "none", bytes: 0, sha256: "0".repeat(64) };
  const frameCount = regions.length;
  const manifest: Manifest = {
    format: "mouthpiece-avatar",
    formatVersion: 1,
    width,
    height,
    fps: 25,
    frameCount,
    playback: "ping-pong",
    rectangles: regions.map((r) => [r.x, r.y, r.width, r.height]),
    model: nothing,
    audioEncoder: nothing,
    reference: { ...nothing, indexBytes: 24, indexSha256: "0".repeat(64) },
    ...(avatar.files && {
      frames: { extension: "png" as const, sha256: bytesToHex(sha256(digests)) },
    }),
    tracks,
  };
  const formats = ["png", "jpeg"];
  const summary = { id, title: id, width, height, fps: 25, frameCount, version: "1", formats };
  return { prefix, manifest, tenant: null, summary: { ...summary, playback: "ping-pong" } };
}
