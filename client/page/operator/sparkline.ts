const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [120, 32];
/** Points of a full line: a minute. */
const POINTS = 61;

/**
 * Draws the last minute, the newest at the right.
 * @param least the top of the scale while nothing is higher, so that little does not look like much
 */
export function drawSparkline(
  svg: SVGElement,
  samples: readonly number[],
  { label, least }: { readonly label: string; readonly least: number },
): void {
  const top = Math.max(least, ...samples);
  const points = samples.map((sample, n) => {
    const x = WIDTH - (samples.length - 1 - n) * (WIDTH / (POINTS - 1));
    const y = HEIGHT - 2 - (sample / top) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const line = svg.querySelector("polyline") ?? add(svg);
  line.setAttribute("points", points.join(" "));
  const [now, most] = [samples.at(-1) ?? 0, Math.max(0, ...samples)];
  const text = `${label} in the last minute: ${Math.round(now)} now, ${Math.round(most)} at most`;
  svg.setAttribute("aria-label", text);
}

function add(svg: SVGElement): SVGPolylineElement {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("vector-effect", "non-scaling-stroke");
  svg.append(line);
  return line;
}
