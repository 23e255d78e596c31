import sharp from "sharp";
import type { RgbImage } from "../../../avatar/image/types.ts";

/** Something that is drawn over an image: SVG elements, in its pixels. */
export type Shapes = readonly string[];

const GAP = 8;

/** @param scale whole: pixels are repeated; the shapes are in pixels of the result */
export async function draw(image: RgbImage, scale: number, shapes: Shapes = []): Promise<RgbImage> {
  const width = Math.round(image.width * scale);
  const height = Math.round(image.height * scale);
  const kernel = Number.isInteger(scale) ? "nearest" : "lanczos3";
  const { data } = await rawOf(image)
    .resize(width, height, { kernel })
    .composite([{ input: Buffer.from(svg(width, height, shapes)) }])
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width, height, data };
}

function svg(width: number, height: number, shapes: Shapes): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join("")}</svg>`;
}

/** Images of one size in rows and columns, with white between them. */
export async function grid(rows: readonly (readonly RgbImage[])[]): Promise<RgbImage> {
  const [first] = rows[0]!;
  const { width: cellWidth, height: cellHeight } = first!;
  const width = rows[0]!.length * (cellWidth + GAP) - GAP;
  const height = rows.length * (cellHeight + GAP) - GAP;
  const inputs = rows.flatMap((cells, row) =>
    cells.map(({ width, height, data }, column) => ({
      input: Buffer.from(data),
      raw: { width, height, channels: 3 as const },
      left: column * (cellWidth + GAP),
      top: row * (cellHeight + GAP),
    })),
  );
  const { data } = await sharp({ create: { width, height, channels: 3, background: "#fff" } })
    .composite(inputs)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width, height, data };
}

/** @param colours of a palette; null to keep all of them */
export async function toPng(image: RgbImage, colours: number | null): Promise<Buffer> {
  const options = colours === null ? {} : { palette: true, colours, dither: 0.5 };
  return await rawOf(image)
    .png({ compressionLevel: 9, effort: 10, ...options })
    .toBuffer();
}

function rawOf({ width, height, data }: RgbImage) {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

export function rectangle(
  x: number,
  y: number,
  width: number,
  height: number,
  style: string,
): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" ${style}/>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${style}/>`;
}
