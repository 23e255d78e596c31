const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 1024 to the KB, as the settings count. */
export function bytes(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Two units say enough. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [d, h, m] = [Math.floor(s / 86_400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export function milliseconds(value: number | null): string {
  if (value === null) return "-";
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} ms`;
}

/** Of `all`; nothing to say where there was nothing. */
export function percent(part: number, all: number): string {
  return all > 0 ? `${((100 * part) / all).toFixed(part === all ? 0 : 1)} %` : "-";
}

/** @param what in the singular */
export function some(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? "" : "s"}`;
}

/** Of the viewer's day. @param time ISO 8601 */
export function clock(time: string): string {
  return new Date(time).toLocaleTimeString("en-GB");
}
