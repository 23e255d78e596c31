// Puts a mouth and the band of background around it together, as the small
// picture that is coded. `../patch.ts` fills in the layout; all positions are
// relative to the patch.

@unmanaged
class PatchLayout {
  patch: i32;
  width: i32;
  height: i32;
  channels: i32;
  band: i32;
  outerX: i32;
  outerY: i32;
  outerWidth: i32;
  outerHeight: i32;
  innerX: i32;
  innerY: i32;
  innerWidth: i32;
  innerHeight: i32;
  mouth: i32;
  regionX: i32;
  regionY: i32;
  regionWidth: i32;
  regionHeight: i32;
  softEdge: i32;
  softLeft: i32;
  softTop: i32;
  softRight: i32;
  softBottom: i32;
}

/** Fills the patch: 0 outside the frame, the band, and the mouth. */
export function assemblePatch(layoutAt: usize): void {
  const l = changetype<PatchLayout>(layoutAt);
  const isWhole =
    l.outerX == 0 && l.outerY == 0 && l.outerWidth == l.width && l.outerHeight == l.height;
  if (!isWhole) memory.fill(l.patch, 0, l.width * l.height * l.channels);
  placeBand(l);
  if (l.channels == 3) placeRows(l);
  else placeColours(l);
  if (l.softEdge > 0) blendBorder(l);
}

function at(l: PatchLayout, x: i32, y: i32): usize {
  return l.patch + (y * l.width + x) * l.channels;
}

function placeBand(l: PatchLayout): void {
  let from: usize = l.band;
  const innerEnd = l.innerX + l.innerWidth;
  const outerEnd = l.outerX + l.outerWidth;
  for (let y = l.outerY; y < l.outerY + l.outerHeight; y++) {
    if (y < l.innerY || y >= l.innerY + l.innerHeight) {
      const bytes = l.outerWidth * l.channels;
      memory.copy(at(l, l.outerX, y), from, bytes);
      from += bytes;
      continue;
    }
    const left = (l.innerX - l.outerX) * l.channels;
    memory.copy(at(l, l.outerX, y), from, left);
    from += left;
    const right = (outerEnd - innerEnd) * l.channels;
    memory.copy(at(l, innerEnd, y), from, right);
    from += right;
  }
}

// The part under a soft edge holds background until `blendBorder`.
function placeRows(l: PatchLayout): void {
  const hasInner = l.innerWidth > 0;
  if (l.softEdge > 0 && !hasInner) return;
  const x = hasInner ? l.innerX : l.regionX;
  const y = hasInner ? l.innerY : l.regionY;
  const width = hasInner ? l.innerWidth : l.regionWidth;
  const height = hasInner ? l.innerHeight : l.regionHeight;
  for (let row = y; row < y + height; row++) {
    memory.copy(at(l, x, row), mouthAt(l, x, row), width * 3);
  }
}

function mouthAt(l: PatchLayout, x: i32, y: i32): usize {
  return l.mouth + ((y - l.regionY) * l.regionWidth + (x - l.regionX)) * 3;
}

function placeColours(l: PatchLayout): void {
  for (let y = l.regionY; y < l.regionY + l.regionHeight; y++) {
    for (let x = l.regionX; x < l.regionX + l.regionWidth; x++) {
      if (l.softEdge > 0 && weightAt(l, x, y) < 256) continue;
      const to = at(l, x, y);
      const from = mouthAt(l, x, y);
      store<u16>(to, load<u16>(from));
      store<u8>(to, load<u8>(from, 2), 2);
    }
  }
}

/** Share of the mouth at a pixel in 256ths: rises from the border inwards over the soft edge. */
function weightAt(l: PatchLayout, x: i32, y: i32): i32 {
  let distance = l.softEdge;
  if (l.softLeft) distance = min(distance, x - l.regionX);
  if (l.softTop) distance = min(distance, y - l.regionY);
  if (l.softRight) distance = min(distance, l.regionX + l.regionWidth - 1 - x);
  if (l.softBottom) distance = min(distance, l.regionY + l.regionHeight - 1 - y);
  if (distance >= l.softEdge) return 256;
  return ((2 * distance + 1) * 128) / l.softEdge;
}

function blendBorder(l: PatchLayout): void {
  const endX = l.regionX + l.regionWidth;
  for (let y = l.regionY; y < l.regionY + l.regionHeight; y++) {
    for (let x = l.regionX; x < endX; x++) {
      const weight = weightAt(l, x, y);
      if (weight == 256) {
        // Inside the inner rectangle, whose pixels are in place: on to its end.
        const isInner =
          l.innerWidth > 0 && y >= l.innerY && y < l.innerY + l.innerHeight && x == l.innerX;
        if (isInner) {
          x += l.innerWidth - 1;
          continue;
        }
        if (l.channels == 4) continue;
      }
      blend(at(l, x, y), mouthAt(l, x, y), weight);
    }
  }
}

function blend(to: usize, from: usize, weight: i32): void {
  for (let channel: usize = 0; channel < 3; channel++) {
    const under = <i32>load<u8>(to + channel);
    const over = <i32>load<u8>(from + channel);
    store<u8>(to + channel, <u8>((under * (256 - weight) + over * weight + 128) >> 8));
  }
}
