import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { type FrameDataset, readSynctalkDataset } from "../../avatar/importers/synctalk.ts";
import { readWebcodectestPackage } from "../../avatar/importers/webcodectest.ts";
import { checkAudioEncoder, checkUnet } from "../../avatar/onnx/check-model.ts";
import { createFolderStaging } from "../../avatar/runtime/folder-store.ts";
import { checkTenantId } from "../../avatar/tenant-id.ts";
import { writeAvatar } from "../../avatar/writer.ts";
import { CommandError } from "../command-error.ts";
import { Progress } from "../progress.ts";

export interface ImportOptions {
  readonly id: string;
  readonly title?: string;
  readonly model?: string;
  readonly encoder?: string;
  readonly tenant?: string;
  readonly root: string;
  readonly json?: boolean;
}

/** `mouthpiece import`: a dataset becomes the current version of an avatar. */
export async function runImport(
  kind: "synctalk" | "webcodectest",
  dir: string,
  options: ImportOptions,
): Promise<void> {
  checkAvatarId(options.id);
  if (options.tenant !== undefined) checkTenantId(options.tenant);
  const dataset =
    kind === "synctalk"
      ? { ...(await readSynctalkDataset(dir)), modelPath: null, encoderPath: null }
      : await readWebcodectestPackage(dir);
  try {
    const version = await writeDataset(dataset, options);
    printResult(options, version, dataset.frameCount);
  } finally {
    await dataset.close();
  }
}

/** What a dataset gives: its frames, and its models where they lie at a known place. */
interface Dataset extends FrameDataset {
  readonly modelPath: string | null;
  readonly encoderPath: string | null;
}

async function writeDataset(dataset: Dataset, options: ImportOptions): Promise<string> {
  const model = await readModel("--model", options.model ?? dataset.modelPath, "U-Net");
  const encoderPath = options.encoder ?? dataset.encoderPath;
  const audioEncoder = await readModel("--encoder", encoderPath, "audio encoder");
  checkUnet(model.bytes, model.path);
  checkAudioEncoder(audioEncoder.bytes, audioEncoder.path);
  const staging = await createFolderStaging(resolve(options.root), options.id);
  const progress = new Progress(`importing ${options.id}`);
  const source = {
    id: options.id,
    title: options.title ?? options.id,
    tenant: options.tenant ?? null,
    frameCount: dataset.frameCount,
    extension: dataset.extension,
    frames: () => dataset.frames(),
    model: model.bytes,
    audioEncoder: audioEncoder.bytes,
  };
  return writeAvatar(source, staging, ({ done, total }) => progress.update(done, total));
}

function printResult(options: ImportOptions, version: string, frames: number): void {
  const { id } = options;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ id, version, frames })}\n`
      : `avatar ${id}: ${frames} frames, version ${version}\n`,
  );
}

async function readModel(option: string, path: string | null, what: string) {
  if (path === null) {
    throw new CommandError(`the dataset has no ${what}: name its ONNX file with ${option}`, {
      isUsage: true,
    });
  }
  try {
    return { path, bytes: new Uint8Array(await readFile(path)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`cannot read the ${what}: ${why}`, { cause });
  }
}
