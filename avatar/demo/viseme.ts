/**
 * What the demo's two models agree on: the places of the mouth's parameters in
 * the feature vector that its audio encoder makes and its U-Net reads. The
 * values after them are the encoder's hidden activations, -1..1.
 */
export const VISEME = {
  /** Jaw: 0 closed, as in silence; 1 wide open, as in "father". */
  open: 0,
  /** Lips drawn to the sides: 1 as in "see". */
  spread: 1,
  /** Lips rounded and pushed forward: 1 as in "who". */
  round: 2,
  /** Teeth together and seen: 1 as in "see", less in "for" and "think". */
  teeth: 3,
  /** Somebody speaks: 0 in silence and in noise. */
  voice: 4,
  /** Lips pressed on each other: 1 in "m", "b" and "p". */
  pressed: 5,
} as const;

/** A parameter of the mouth; each is 0..1. */
export type VisemeName = keyof typeof VISEME;

export const VISEME_NAMES = Object.keys(VISEME) as readonly VisemeName[];
export const VISEME_COUNT = VISEME_NAMES.length;

/**
 * Of the 16 feature rows that the U-Net sees for a frame, the one whose window
 * is centred on the frame: row 7 looks at 200 ms around 14 ms after the frame
 * begins. Row k is centred 40 (k - 7) ms from there.
 */
export const CENTRE_FEATURE_ROW = 7;
