import { SettingsError } from "../../../avatar/settings.ts";

/** What of @napi-rs/webcodecs is used, as the WebCodecs standard names it. */
export interface WebCodecs {
  readonly VideoEncoder: new (init: {
    output(chunk: WebCodecsChunk): void;
    error(error: Error): void;
  }) => WebCodecsEncoder;
  readonly VideoFrame: new (
    data: Uint8Array,
    init: {
      readonly format: "I420";
      readonly codedWidth: number;
      readonly codedHeight: number;
      /** Microseconds. */
      readonly timestamp: number;
      readonly duration: number;
      readonly colorSpace: {
        readonly primaries: "bt709";
        readonly transfer: "bt709";
        readonly matrix: "bt709";
        readonly fullRange: boolean;
      };
    },
  ) => WebCodecsFrame;
}

export interface WebCodecsFrame {
  close(): void;
}

export interface WebCodecsChunk {
  readonly type: "key" | "delta";
  readonly timestamp: number;
  readonly byteLength: number;
  copyTo(destination: Uint8Array): void;
}

export interface WebCodecsEncoder {
  readonly state: string;
  configure(config: WebCodecsEncoderConfig): void;
  encode(frame: WebCodecsFrame, options: { readonly keyFrame: boolean }): void;
  close(): void;
}

export interface WebCodecsEncoderConfig {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly framerate: number;
  /** Bits per second. */
  readonly bitrate?: number;
  readonly bitrateMode: "constant" | "quantizer";
  readonly latencyMode: "quality";
  readonly hardwareAcceleration: "prefer-software";
  readonly avc: { readonly format: "annexb" };
}

export const WEBCODECS_PACKAGE = "@napi-rs/webcodecs";
/** What the tests ran with: of 1.4.0 and 1.4.2 there was no build for Linux to be had. */
export const WEBCODECS_VERSION = "1.3.1";

/**
 * The package, if it is installed beside this one.
 * @param load how to get it: `import`, unless it lies elsewhere
 * @throws SettingsError that says how to install it
 */
export async function loadWebCodecs(
  load: () => Promise<unknown> = () => import(WEBCODECS_PACKAGE),
): Promise<WebCodecs> {
  let loaded: unknown;
  try {
    loaded = await load();
  } catch (cause) {
    const install = `npm install --no-save ${WEBCODECS_PACKAGE}@${WEBCODECS_VERSION}`;
    const [why] = String(cause).split("\n");
    throw new SettingsError(
      `video.whole_frames needs the package ${WEBCODECS_PACKAGE}, which links x264 (GPL) and does not come with this one: ${install} (${why})`,
      { cause },
    );
  }
  if (isWebCodecs(loaded)) return loaded;
  throw new SettingsError(
    `video.whole_frames: ${WEBCODECS_PACKAGE} has no VideoEncoder: install version ${WEBCODECS_VERSION}`,
  );
}

function isWebCodecs(loaded: unknown): loaded is WebCodecs {
  return (
    typeof loaded === "object" &&
    loaded !== null &&
    "VideoEncoder" in loaded &&
    "VideoFrame" in loaded &&
    typeof loaded.VideoEncoder === "function" &&
    typeof loaded.VideoFrame === "function"
  );
}
