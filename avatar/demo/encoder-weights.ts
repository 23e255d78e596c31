export const ENCODER_WEIGHTS = "";
