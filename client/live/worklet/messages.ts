/** What the page tells the player in the audio thread. Places are samples of the session's clock. */
export type PlayerOrder =
  | { readonly type: "sound"; readonly start: number; readonly samples: Float32Array<ArrayBuffer> }
  /** Sample `offset + n` belongs to frame n of the audio context. */
  | { readonly type: "clock"; readonly offset: number }
  /** Silence, now. */
  | { readonly type: "void" };

/** What the microphone's thread tells the page: 16-bit mono of 16 kHz. */
export type MicrophoneSound = Int16Array<ArrayBuffer>;

export const PLAYER_PROCESSOR = "mouthpiece-player";
export const MICROPHONE_PROCESSOR = "mouthpiece-microphone";
