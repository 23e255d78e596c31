/** The colours of the character: warm light from the left, a cool rim from the right. */
export const PALETTE = {
  skin: "#f6c19c",
  skinMid: "#e6a27e",
  skinShade: "#c67a60",
  skinDeep: "#96503f",
  blush: "#f07f6a",
  lipUpper: "#c8505a",
  lipLower: "#e0707a",
  lipSeam: "#7c2430",
  lash: "#33161f",
  brow: "#54291f",
  hair: "#5a2a28",
  hairGlint: "#f0b27e",
  rim: "#8fd0e0",
  knitLight: "#f2b84e",
  knit: "#dd9632",
  knitDeep: "#703a18",
  shirtLight: "#fffaf2",
  shirt: "#efe3d8",
  shirtShade: "#b9a7ad",
} as const;

/** The strands: in the lamp's light, between, and on the side of the window. */
export const HAIR = {
  warm: ["#99532f", "#6a3229", "#52262a", "#b06a42"],
  middle: ["#7d3e30", "#4c2228", "#63302a", "#9a563a"],
  cool: ["#6a343a", "#4e262f", "#824644", "#42222c"],
} as const;
