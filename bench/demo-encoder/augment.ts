import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import type { Random } from "./random.ts";

/** Makes clean studio speech what microphones and rooms make of it; changes `samples`. */
export function degrade(samples: Float32Array, random: Random): void {
  if (random.chance(0.8)) tilt(samples, random.between(-0.75, 0.75));
  for (let i = random.integer(0, 3); i > 0; i--) {
    peak(samples, 200 * 2 ** random.between(0, 5), random.between(-9, 9));
  }
  if (random.chance(0.3)) reverberate(samples, random);
  const speech = level(samples);
  if (random.chance(0.65)) {
    addNoise(samples, speech * 10 ** (-random.between(8, 45) / 20), random);
  }
  scale(samples, 10 ** (random.between(-20, 6) / 20));
  for (let n = 0; n < samples.length; n++) samples[n] = Math.min(1, Math.max(-1, samples[n]!));
}

/** Seconds of something that is no speech: hiss, hum, tones, knocks, or nothing at all. */
export function nonSpeech(seconds: number, random: Random): Float32Array {
  const samples = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  if (random.chance(0.1)) return samples;
  addNoise(samples, 10 ** (random.between(-75, -22) / 20), random);
  if (random.chance(0.35)) addTones(samples, 10 ** (random.between(-50, -18) / 20), random);
  if (random.chance(0.35)) addKnocks(samples, random);
  return samples;
}

/** Root mean square. */
export function level(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, samples.length));
}

/** Noise of a random colour and the given root mean square, perhaps slowly swelling. */
export function addNoise(samples: Float32Array, rms: number, random: Random): void {
  const colour = random.between(0, 0.98);
  const gain = rms * Math.sqrt(1 - colour * colour);
  const swell = random.chance(0.3) ? random.between(0.3, 0.9) : 0;
  const omega = (2 * Math.PI * random.between(0.1, 2)) / SAMPLE_RATE;
  let state = 0;
  for (let n = 0; n < samples.length; n++) {
    // Uniform is white enough, and four times as fast as normal.
    state = colour * state + gain * random.between(-1.732, 1.732);
    samples[n] = samples[n]! + state * (1 + swell * Math.sin(omega * n));
  }
}

function addTones(samples: Float32Array, rms: number, random: Random): void {
  const base = random.chance(0.4) ? random.pick([50, 60, 100, 120]) : random.between(80, 3000);
  const partials = random.integer(1, 6);
  for (let p = 1; p <= partials; p++) {
    const omega = (2 * Math.PI * base * p) / SAMPLE_RATE;
    const amplitude = (1.4 * rms) / (p * Math.sqrt(partials));
    const phase = random.between(0, 2 * Math.PI);
    for (let n = 0; n < samples.length; n++) {
      samples[n] = samples[n]! + amplitude * Math.sin(omega * n + phase);
    }
  }
}

/** Key presses, door knocks: short bursts of damped noise. */
function addKnocks(samples: Float32Array, random: Random): void {
  for (let i = random.integer(1, 8); i > 0; i--) {
    const start = random.integer(0, samples.length);
    const decay = Math.exp(-1 / (SAMPLE_RATE * random.between(0.002, 0.025)));
    let amplitude = 10 ** (random.between(-40, -8) / 20);
    for (let n = start; n < samples.length && amplitude > 1e-5; n++) {
      samples[n] = samples[n]! + amplitude * random.between(-1, 1);
      amplitude *= decay;
    }
  }
}

function scale(samples: Float32Array, gain: number): void {
  for (let n = 0; n < samples.length; n++) samples[n] = samples[n]! * gain;
}

/** A first-order shelf: positive amounts dull, negative ones sharpen. */
function tilt(samples: Float32Array, amount: number): void {
  let previous = 0;
  for (let n = 0; n < samples.length; n++) {
    const x = samples[n]!;
    samples[n] = amount > 0 ? (1 - amount) * x + amount * previous : x + amount * previous;
    previous = amount > 0 ? samples[n]! : x;
  }
}

/** Peaking filter of one octave (Bristow-Johnson, Audio EQ Cookbook). */
function peak(samples: Float32Array, hz: number, decibels: number): void {
  const omega = (2 * Math.PI * Math.min(hz, 7000)) / SAMPLE_RATE;
  const a = 10 ** (decibels / 40);
  const alpha = Math.sin(omega) / 2.8;
  const norm = 1 + alpha / a;
  const [b0, b1, b2] = [
    (1 + alpha * a) / norm,
    (-2 * Math.cos(omega)) / norm,
    (1 - alpha * a) / norm,
  ];
  const a2 = (1 - alpha / a) / norm;
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  for (let n = 0; n < samples.length; n++) {
    const x = samples[n]!;
    const y = b0 * x + b1 * x1 + b2 * x2 - b1 * y1 - a2 * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    samples[n] = y;
  }
}

/** Sixty echoes that die away: enough of a room to blur what is sharp. */
function reverberate(samples: Float32Array, random: Random): void {
  const dry = samples.slice();
  const decaySeconds = random.between(0.02, 0.1);
  const wet = 10 ** (random.between(-22, -9) / 20);
  for (let i = 0; i < 60; i++) {
    const delay = Math.round(SAMPLE_RATE * random.between(0.003, 3 * decaySeconds));
    const gain = wet * random.normal() * Math.exp(-delay / SAMPLE_RATE / decaySeconds) * 0.6;
    for (let n = delay; n < samples.length; n++) {
      samples[n] = samples[n]! + gain * dry[n - delay]!;
    }
  }
}
