/**
 * The mouth of one sound. Null means that the sound leaves the lips to its
 * neighbours: the /s/ of "soup" is rounded, that of "see" spread.
 */
export interface MouthShape {
  readonly open: number;
  readonly spread: number | null;
  readonly round: number | null;
  readonly teeth: number;
  readonly pressed: number;
  readonly kind: "vowel" | "plosive" | "consonant";
}

function vowel(open: number, spread: number, round: number): MouthShape {
  return { open, spread, round, teeth: 0, pressed: 0, kind: "vowel" };
}

function tongue(open: number, teeth = 0, kind: MouthShape["kind"] = "consonant"): MouthShape {
  return { open, spread: null, round: null, teeth, pressed: 0, kind };
}

function lips(kind: MouthShape["kind"]): MouthShape {
  return { open: 0, spread: 0, round: null, teeth: 0, pressed: 1, kind };
}

const A = vowel(1, 0.1, 0);
const SCHWA = vowel(0.4, 0.15, 0);
const TAP = tongue(0.22);
const STOP = tongue(0.18, 0, "plosive");
const HISS = tongue(0.08, 1);
const HUSH: MouthShape = { ...tongue(0.14, 0.85), spread: 0, round: 0.5 };
const LIP_TEETH: MouthShape = { ...tongue(0.06, 0.75), spread: 0.1, round: 0 };
const TONGUE_TEETH = tongue(0.15, 0.6);
const THROAT = tongue(0.35);
const R: MouthShape = { ...tongue(0.22), round: 0.35 };
const GLIDE: MouthShape = { ...tongue(0.2), spread: 0.7, round: 0 };

/** Shapes by IPA letter. What is not listed looks like a schwa. */
const SHAPES: Readonly<Record<string, MouthShape>> = {
  a: A,
  ɑ: A,
  ɐ: vowel(0.8, 0.1, 0),
  ä: A,
  æ: vowel(0.9, 0.4, 0),
  ʌ: vowel(0.7, 0.1, 0),
  ɒ: vowel(0.85, 0, 0.35),
  ɔ: vowel(0.65, 0, 0.6),
  o: vowel(0.5, 0, 0.85),
  u: vowel(0.2, 0, 1),
  ʊ: vowel(0.3, 0, 0.7),
  ɯ: vowel(0.22, 0.2, 0.4),
  ɨ: vowel(0.25, 0.5, 0),
  y: vowel(0.2, 0, 0.95),
  ʏ: vowel(0.28, 0, 0.75),
  ø: vowel(0.4, 0, 0.75),
  œ: vowel(0.55, 0, 0.6),
  i: vowel(0.25, 1, 0),
  ɪ: vowel(0.35, 0.65, 0),
  e: vowel(0.45, 0.75, 0),
  ɛ: vowel(0.6, 0.5, 0),
  ə: SCHWA,
  ɚ: vowel(0.35, 0, 0.3),
  ɜ: vowel(0.45, 0.1, 0.15),
  m: lips("consonant"),
  b: lips("plosive"),
  p: lips("plosive"),
  β: { ...lips("consonant"), pressed: 0.6, open: 0.08 },
  w: { ...tongue(0.12), spread: 0, round: 1 },
  ɥ: { ...tongue(0.12), spread: 0, round: 0.9 },
  ʍ: { ...tongue(0.12), spread: 0, round: 1 },
  f: LIP_TEETH,
  v: LIP_TEETH,
  ʋ: LIP_TEETH,
  θ: TONGUE_TEETH,
  ð: TONGUE_TEETH,
  s: HISS,
  z: HISS,
  ɕ: HISS,
  ʑ: HISS,
  ʃ: HUSH,
  ʒ: HUSH,
  ʂ: HUSH,
  ʐ: HUSH,
  t: STOP,
  d: STOP,
  ʈ: STOP,
  ɖ: STOP,
  c: STOP,
  k: tongue(0.25, 0, "plosive"),
  g: tongue(0.25, 0, "plosive"),
  ɡ: tongue(0.25, 0, "plosive"),
  ʔ: tongue(0.25, 0, "plosive"),
  n: TAP,
  ɲ: TAP,
  ŋ: tongue(0.28),
  l: tongue(0.3),
  ɫ: tongue(0.3),
  ʎ: tongue(0.28),
  ɾ: TAP,
  r: TAP,
  ɹ: R,
  ɻ: R,
  ʁ: THROAT,
  ʀ: THROAT,
  x: THROAT,
  χ: THROAT,
  ɣ: THROAT,
  h: THROAT,
  ɦ: THROAT,
  ç: { ...tongue(0.2, 0.2), spread: 0.6, round: 0 },
  j: GLIDE,
  ʝ: GLIDE,
};

/** A part of a phoneme: its shape and its share of the duration. */
export interface PhonemePart {
  readonly letter: string;
  readonly shape: MouthShape;
  readonly weight: number;
}

/** Splits what espeak-ng calls one phoneme, such as a diphthong, into single shapes. */
export function phonemeParts(ipa: string): PhonemePart[] {
  const parts: { letter: string; shape: MouthShape; weight: number }[] = [];
  for (const letter of ipa.normalize("NFC")) {
    const last = parts.at(-1);
    if (letter === "ː" && last) last.weight = 2;
    // Stress, tone, nasalisation and the like do not move the lips.
    if (!/^\p{Ll}$/u.test(letter)) continue;
    const shape = SHAPES[letter] ?? SHAPES[letter.normalize("NFD")[0]!] ?? SCHWA;
    parts.push({ letter, shape, weight: shape.kind === "vowel" ? 1.2 : 0.8 });
  }
  return parts.length > 0 ? parts : [{ letter: ipa, shape: SCHWA, weight: 1 }];
}
