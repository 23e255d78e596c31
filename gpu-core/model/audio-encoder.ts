import type { InferenceSession } from "onnxruntime-node";
import { ENCODER_ROWS, FEATURE_SIZE, MEL_BANDS } from "../../avatar/speech-timing.ts";
import {
  checkTensorCount,
  createSession,
  findTensor,
  floatOutput,
  floatTensor,
  runSession,
  type SessionOptions,
} from "./session.ts";

/** The audio encoder: mel windows to features. Shared by all avatars that have the same file. */
export class AudioEncoder {
  readonly #session: InferenceSession;
  readonly #input: string;
  readonly #output: string;
  readonly #path: string;

  private constructor(session: InferenceSession, path: string) {
    this.#session = session;
    this.#path = path;
    checkTensorCount(session, 1, path);
    const mel = { label: "mel input", shape: [1, MEL_BANDS, ENCODER_ROWS] };
    this.#input = findTensor(session.inputMetadata, mel, path);
    const features = { label: "feature output", shape: [FEATURE_SIZE] };
    this.#output = findTensor(session.outputMetadata, features, path);
  }

  /** @throws CoreError `failed_precondition` when the file is not such an encoder. */
  static async load(path: string, options: SessionOptions): Promise<AudioEncoder> {
    const session = await createSession({ path }, options);
    try {
      const encoder = new AudioEncoder(session, path);
      await encoder.run(new Float32Array(MEL_BANDS * ENCODER_ROWS));
      return encoder;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * @param mel float32 [1,1,80,16]
   * @returns float32 [512]
   */
  async run(mel: Float32Array): Promise<Float32Array> {
    const outputs = await runSession(
      this.#session,
      {
        [this.#input]: floatTensor(mel, [1, 1, MEL_BANDS, ENCODER_ROWS]),
      },
      this.#path,
    );
    return floatOutput(outputs, this.#output, FEATURE_SIZE, this.#path);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
