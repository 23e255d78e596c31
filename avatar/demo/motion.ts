/** How the character moves: everything that differs between two background frames. */

/** Background frames of the demo avatar, played forwards and backwards. */
export const DEMO_FRAME_COUNT = 125;

/** The pose of one background frame. Lengths in pixels, angles in degrees. */
export interface Pose {
  /** Of the head, about the neck. */
  readonly headX: number;
  readonly headY: number;
  readonly headDegrees: number;
  /** How far the features run ahead of the skull, which reads as a turn of the head. */
  readonly turnX: number;
  readonly turnY: number;
  /** 0 breathed out .. 1 breathed in */
  readonly breath: number;
  /** Of the torso. */
  readonly bodyX: number;
  /** 0 open .. 1 shut */
  readonly blink: number;
  /** Of the irises. */
  readonly gazeX: number;
  readonly gazeY: number;
  /** Upwards. */
  readonly browLeft: number;
  readonly browRight: number;
  /** Of the hair's ends, behind the head's motion. */
  readonly hairSway: number;
}

/** First frames of the blinks, and how long each takes to shut, stay shut and open. */
const BLINKS = [
  { start: 24, frames: [0.45, 0.95, 1, 0.7, 0.3, 0.08] },
  { start: 71, frames: [0.35, 0.9, 1, 0.8, 0.45, 0.18, 0.05] },
  { start: 103, frames: [0.5, 1, 0.85, 0.4, 0.12] },
] as const;

/** Where the eyes look: from `frame` on, reached within three frames as saccades do. */
const GAZES = [
  { frame: 0, x: 0, y: 0 },
  { frame: 38, x: -2.4, y: 0.4 },
  { frame: 58, x: 0.5, y: 0 },
  { frame: 73, x: 1.9, y: -0.7 },
  { frame: 96, x: 0, y: 0 },
] as const;
const SACCADE_FRAMES = 3;

/** Breaths in one run through the loop: 5 s, so about 18 a minute with the way back. */
const BREATHS = 1.5;

function ease(t: number): number {
  const x = Math.min(1, Math.max(0, t));
  return x * x * (3 - 2 * x);
}

/** A bump of height 1 around `centre` that is over `width` frames away. */
function bump(index: number, centre: number, width: number): number {
  return ease(1 - Math.abs(index - centre) / width);
}

function blinkAt(index: number): number {
  for (const { start, frames } of BLINKS) {
    const value = frames[index - start];
    if (value !== undefined) return value;
  }
  return 0;
}

function gazeAt(index: number): { x: number; y: number } {
  let { x, y }: { x: number; y: number } = GAZES[0];
  for (const gaze of GAZES.slice(1)) {
    const t = ease((index - gaze.frame) / SACCADE_FRAMES);
    x += (gaze.x - x) * t;
    y += (gaze.y - y) * t;
  }
  return { x, y };
}

/**
 * The pose of a background frame. Sway and breath are cosines of whole or half
 * periods over the loop, so they stand still where playback turns round.
 * @param index 0 .. DEMO_FRAME_COUNT - 1
 */
export function poseAt(index: number): Pose {
  if (!Number.isInteger(index) || index < 0 || index >= DEMO_FRAME_COUNT) {
    throw new RangeError(`frame ${index} is not one of 0..${DEMO_FRAME_COUNT - 1}`);
  }
  const t = (Math.PI * index) / (DEMO_FRAME_COUNT - 1);
  const breath = 0.5 - 0.5 * Math.cos(2 * BREATHS * t);
  const sway = -Math.cos(t);
  const nod = Math.cos(3 * t);
  const tilt = Math.cos(2 * t);
  const gaze = gazeAt(index);
  const lift = bump(index, 47, 11);
  return {
    headX: 7.5 * sway + 1.6 * Math.cos(4 * t),
    headY: -2.6 * breath + 1.7 * nod + 0.8 * tilt,
    headDegrees: 1.15 * sway + 0.55 * tilt - 0.2 * Math.cos(5 * t),
    turnX: 2.6 * sway + 0.9 * tilt,
    turnY: 1.1 * nod - 0.7 * tilt,
    breath,
    bodyX: 1.8 * sway,
    blink: blinkAt(index),
    gazeX: gaze.x,
    gazeY: gaze.y,
    browLeft: 2.4 * lift + 0.9 * bump(index, 84, 14) - 1.1 * blinkAt(index),
    browRight: 1.6 * lift + 1.9 * bump(index, 84, 14) - 1.1 * blinkAt(index),
    hairSway: 2.2 * Math.cos(t + 0.35 * Math.sin(t)) + 0.7 * Math.cos(3 * t),
  };
}
