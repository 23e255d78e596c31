// The macroblock that is being coded: its source, its prediction, its levels.

/** Its samples, without gaps: luma [16, 16], then two of chroma [8, 8]. */
export const SOURCE = memory.data(384 + 16, 16);
export const PREDICTION = memory.data(384 + 16, 16);
export const CHROMA_AT: usize = 256;

/**
 * The candidate that is being tried: a `MbRecord`, its levels and masks. One
 * piece, so that the best so far is kept by copying it.
 */
export const CANDIDATE = memory.data(1056, 16);
export const CANDIDATE_BYTES: usize = 1056;

/** int16 [16, 16], a luma block after the other in the order of Figure 6-10, scanned. */
export const LUMA_LEVELS = CANDIDATE + 128;
/** int16 [16]: DC of Intra_16x16 */
export const DC_LEVELS = LUMA_LEVELS + 512;
/** int16 [2, 8], of which 4 count */
export const CHROMA_DC_LEVELS = DC_LEVELS + 32;
/** int16 [2, 4, 16], the first of each 16 is 0 */
export const CHROMA_LEVELS = CHROMA_DC_LEVELS + 32;
/** u16 each, a bit per level that is not 0: 16 of luma, DC, 2 of chroma DC, 8 of chroma. */
export const LUMA_MASKS = CHROMA_LEVELS + 256;
export const DC_MASK = LUMA_MASKS + 32;
export const CHROMA_DC_MASKS = DC_MASK + 2;
export const CHROMA_MASKS = DC_MASK + 8;

/** Column and row of luma block `i` in the order of Figure 6-10. */
@inline
export function blockX(i: usize): usize {
  return (i & 1) | ((i >> 1) & 2);
}

@inline
export function blockY(i: usize): usize {
  return ((i >> 1) & 1) | ((i >> 2) & 2);
}
