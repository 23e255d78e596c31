/** Small helpers that write SVG. Lengths are pixels of the 1280x720 picture. */

/** A point of the picture. */
export type Point = readonly [x: number, y: number];

/** A number as short as it may be without being seen. */
export function num(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function pair([x, y]: Point): string {
  return `${num(x)} ${num(y)}`;
}

/** Straight lines through points: for curves that are sampled finely. */
export function polyline(points: readonly Point[], closed = true): string {
  return `M${points.map(pair).join("L")}${closed ? "Z" : ""}`;
}

/** A soft curve through points (Catmull-Rom, written as cubic Beziers). */
export function smooth(points: readonly Point[], closed = true): string {
  const count = points.length;
  const at = (i: number): Point =>
    closed ? points[(i + count) % count]! : points[Math.min(count - 1, Math.max(0, i))]!;
  let path = `M${pair(at(0))}`;
  const segments = closed ? count : count - 1;
  for (let i = 0; i < segments; i++) {
    const [p0, p1, p2, p3] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const c1: Point = [p1[0] + (p2[0] - p0[0]) / 6, p1[1] + (p2[1] - p0[1]) / 6];
    const c2: Point = [p2[0] - (p3[0] - p1[0]) / 6, p2[1] - (p3[1] - p1[1]) / 6];
    path += `C${pair(c1)} ${pair(c2)} ${pair(p2)}`;
  }
  return closed ? `${path}Z` : path;
}

/** Attributes of an element; undefined ones are left out. */
export type SvgAttributes = Readonly<Record<string, string | number | undefined>>;

/** One element. */
export function element(name: string, attributes: SvgAttributes, children = ""): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? num(value) : value}"`)
    .join("");
  return children ? `<${name}${written}>${children}</${name}>` : `<${name}${written}/>`;
}

/** A filled path. */
export function fill(d: string, paint: string, attributes: SvgAttributes = {}): string {
  return element("path", { d, fill: paint, ...attributes });
}

/** A stroked path with round ends. */
export function stroke(
  d: string,
  paint: string,
  width: number,
  attributes: SvgAttributes = {},
): string {
  const line = { stroke: paint, "stroke-width": width, "stroke-linecap": "round" };
  return element("path", { d, fill: "none", ...line, ...attributes });
}

/** `[offset 0..1, colour, opacity 0..1]` */
export type Stop = readonly [offset: number, colour: string, opacity?: number];

function stops(list: readonly Stop[]): string {
  return list
    .map(([offset, colour, opacity]) =>
      element("stop", { offset, "stop-color": colour, "stop-opacity": opacity }),
    )
    .join("");
}

/** A gradient along the line from `from` to `to`. */
export function linear(id: string, from: Point, to: Point, list: readonly Stop[]): string {
  const line = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return element("linearGradient", { id, gradientUnits: "userSpaceOnUse", ...line }, stops(list));
}

/** A gradient over an ellipse with half axes `rx` and `ry`, turned by `degrees`. */
export function radial(
  id: string,
  [x, y]: Point,
  [rx, ry]: Point,
  list: readonly Stop[],
  degrees = 0,
): string {
  const gradientTransform = `translate(${num(x)} ${num(y)}) rotate(${num(degrees)}) scale(${num(rx)} ${num(ry)})`;
  const unit = { gradientUnits: "userSpaceOnUse", cx: 0, cy: 0, r: 1 };
  return element("radialGradient", { id, ...unit, gradientTransform }, stops(list));
}

/** A soft spot: colour in the middle, nothing at the rim. Needs no filter. */
export function glow(
  id: string,
  [x, y]: Point,
  [rx, ry]: Point,
  colour: string,
  opacity: number,
  degrees = 0,
): string {
  const fade: Stop[] = [0, 0.25, 0.5, 0.75, 1].map((r) => {
    const rest = 1 - r * r;
    return [r, colour, Math.round(opacity * rest * rest * 1000) / 1000];
  });
  return (
    radial(id, [x, y], [rx, ry], fade, degrees) +
    element("ellipse", {
      cx: x,
      cy: y,
      rx,
      ry,
      fill: `url(#${id})`,
      transform: degrees ? `rotate(${num(degrees)} ${num(x)} ${num(y)})` : undefined,
    })
  );
}

/** A group. */
export function group(attributes: SvgAttributes, ...children: readonly string[]): string {
  return element("g", attributes, children.join(""));
}

/** A group that shows only inside the path `d`. */
export function clipped(id: string, d: string, ...children: readonly string[]): string {
  return (
    element("clipPath", { id }, element("path", { d })) +
    group({ "clip-path": `url(#${id})` }, ...children)
  );
}

/**
 * A shape with a soft edge about `radius` pixels wide on each side of its
 * outline. Strokes over strokes: a filter would cost more than the whole picture.
 */
export function soft(d: string, colour: string, opacity: number, radius: number): string {
  const layers = 6;
  const each = 1 - (1 - opacity) ** (1 / layers);
  return Array.from({ length: layers }, (_, i) => {
    const width = (2 * radius * (i + 0.5)) / layers;
    const line = { stroke: colour, "stroke-width": width, "stroke-linejoin": "round" };
    return element("path", { d, fill: colour, ...line, opacity: Math.round(each * 1000) / 1000 });
  }).join("");
}

/** A line with soft edges. */
export function softStroke(d: string, colour: string, opacity: number, width: number): string {
  const layers = 4;
  const each = Math.round((1 - (1 - opacity) ** (1 / layers)) * 1000) / 1000;
  return Array.from({ length: layers }, (_, i) =>
    stroke(d, colour, (width * (i + 1)) / layers, { opacity: each }),
  ).join("");
}

/** A Gaussian blur. It is slow: for what is drawn once. */
export function blur(id: string, deviation: number): string {
  return element(
    "filter",
    { id, x: "-30%", y: "-30%", width: "160%", height: "160%" },
    element("feGaussianBlur", { stdDeviation: deviation }),
  );
}
