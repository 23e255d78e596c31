import { Command, CommanderError } from "commander";
import { AvatarError } from "../avatar/avatar-error.ts";
import { SettingsError } from "../avatar/settings.ts";
import { CoreError } from "../gpu-core/core-error.ts";
import { CommandError } from "./command-error.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * The `mouthpiece` command.
 * @returns the exit status: 0, 1 (failed) or 2 (wrong usage)
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    process.stderr.write(`mouthpiece: ${explain(error)}\n`);
    return error instanceof CommandError && error.isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** Commands are loaded when they run: most need neither the core nor the edge. */
function createProgram(): Command {
  const program = new Command("mouthpiece")
    .description(
      "Talking avatars: a GPU core that turns speech into mouths, and edges that show them",
    )
    .exitOverride()
    .showHelpAfterError("(mouthpiece --help lists the commands)");

  program
    .command("serve")
    .description("core and edge on this machine, with the demo avatar")
    .option("--config <file>", "YAML with the sections `core` and `edge`")
    .action(async (options) => (await import("./commands/serve.ts")).runServe(options));
  program
    .command("core")
    .description("the GPU core")
    .option("--config <file>", "config.yaml of the core")
    .action(async (options) => (await import("./commands/core.ts")).runCore(options));
  program
    .command("edge")
    .description("an edge compositor")
    .option("--config <file>", "YAML of the edge")
    .action(async (options) => (await import("./commands/edge.ts")).runEdge(options));

  const imports = program.command("import").description("turn a dataset into an avatar");
  const importer = (name: string, description: string) =>
    imports
      .command(name)
      .description(description)
      .argument("<dir>", "the dataset's folder")
      .requiredOption("--id <id>", "id of the avatar")
      .option("--title <title>", "title for people; the id if left out")
      .option("--model <file>", "the U-Net as ONNX")
      .option("--encoder <file>", "the audio encoder as ONNX")
      .option("--tenant <id>", "whom it belongs to; everybody whom an edge lets in, if left out")
      .option("--root <dir>", "folder that holds `avatars/`", ".data")
      .option("--json", "print the result as JSON");
  importer("synctalk", "a SyncTalk_2D dataset folder").action(async (dir, options) =>
    (await import("./commands/import.ts")).runImport("synctalk", dir, options),
  );
  importer("webcodectest", "a webcodectest package").action(async (dir, options) =>
    (await import("./commands/import.ts")).runImport("webcodectest", dir, options),
  );

  program
    .command("publish")
    .description(
      "prepare an imported avatar for delivery, and upload it; goes on where it was cut off",
    )
    .argument("<id>", "id of the avatar")
    .requiredOption("--to <target>", "s3://bucket[/prefix], or a folder")
    .option("--root <dir>", "folder that holds `avatars/`", ".data")
    .option("--formats <list>", "what edges will deliver", "png,jpeg,h264")
    .option("--quality <n>", "of JPEG, as libjpeg counts it, 1 to 100", "85")
    .option("--subsampling <ratio>", "of JPEG's colours, 4:2:0 or 4:4:4", "4:2:0")
    .option(
      "--renditions <list>",
      "of H.264: quantisers of key and other pictures, 10 to 45, the finest first",
      "22/27,26/32,31/37",
    )
    .option("--video-mode <mode>", "of H.264: band, or box for the least CPU at the edge", "band")
    .option(
      "--soft-edge <pixels>",
      "blend the mouth into the background, 0 to 64; the avatar's own if left out",
    )
    .option(
      "--tenant <id>",
      "whom it belongs to; as it was imported, or as the target has it, if left out",
    )
    .option("--no-tenant", "it belongs to everybody whom an edge lets in")
    .option("--keep-frames", "upload the plain frames too")
    .option(
      "--concurrency <n>",
      "threads, and requests at the same time; the machine's cores, and 8",
    )
    .option("--endpoint <url>", "of the store; AWS_ENDPOINT_URL if left out")
    .option("--json", "print the result as JSON")
    .action(async (id, options) => (await import("./commands/publish.ts")).runPublish(id, options));

  program
    .command("inspect")
    .description(
      "what a published avatar is made of: tracks, renditions of its video, their quality",
    )
    .argument("<id>", "id of the avatar")
    .option("--root <target>", "s3://bucket[/prefix], or the folder that holds `avatars/`", ".data")
    .option("--endpoint <url>", "of the store; AWS_ENDPOINT_URL if left out")
    .option("--json", "print the result as JSON")
    .action(async (id, options) => (await import("./commands/inspect.ts")).runInspect(id, options));

  addAccess(program.command("render"))
    .description("offline: an avatar that speaks, as numbered PNG files or an MP4 with the sound")
    .requiredOption("--avatar <id>", "id of the avatar")
    .requiredOption("--audio <file>", "WAV file")
    .requiredOption("--out <path>", "film.mp4, or a folder for frames/%06d.png")
    .option("--start <n>", "playback position of the first frame", "0")
    .option("--root <dir>", "folder that holds `avatars/`", ".data")
    .option("--core <url>", "a running core; one is started if left out")
    .option("--json", "print the result as JSON")
    .action(async (options) => (await import("./commands/render.ts")).runRender(options));
  addKeys(program);
  addOperation(program);
  return program;
}

/** What an operator gives to tenants, and to edges. */
function addKeys(program: Command): void {
  const keys = program.command("keys").description("keys for `access` of an edge's configuration");
  keys
    .command("create")
    .description("an API key for a tenant, and its hash for the edge; nothing is kept")
    .option("--json", "print the result as JSON")
    .action(async (options) => (await import("./commands/keys.ts")).runKeysCreate(options));
  keys
    .command("rotate")
    .description("a new key that signs session tokens; the one before it still checks them")
    .argument("<file>", "JWK set; made if it is not there")
    .option("--algorithm <name>", "EdDSA or HS256", "EdDSA")
    .option("--keep <n>", "older keys that stay, 0 to 15", "1")
    .option("--json", "print the result as JSON")
    .action(async (file, options) =>
      (await import("./commands/keys.ts")).runKeysRotate(file, options),
    );
}

/** What a core asks of its callers. */
function addAccess(command: Command): Command {
  return command
    .option("--token-file <file>", "whose first token is sent; MOUTHPIECE_CORE_TOKEN if left out")
    .option("--ca <file>", "authority of the certificate of an https: core")
    .option("--cert <file>", "own certificate, for a core that asks for one")
    .option("--key <file>", "its key");
}

/** What an operator asks a running core and a machine. */
function addOperation(program: Command): void {
  const DEFAULT_CORE = "http://127.0.0.1:50051";
  const models = program.command("models").description("the models of a running core");
  const asking = (command: Command, defaultTimeoutS = 10) =>
    addAccess(command)
      .option("--core <url>", "the running core", DEFAULT_CORE)
      .option("--timeout <seconds>", `for the answer; ${defaultTimeoutS} if left out`)
      .option("--json", "print the result as JSON");

  asking(models.command("list"))
    .description("every model, its state and where it is")
    .option("--loaded", "only those in memory")
    .action(async (options) => (await import("./commands/models.ts")).runModelsList(options));
  asking(models.command("load"), 60)
    .description("bring a model into memory; ends when it is warm")
    .argument("<id>", "id of the model")
    .option("--force", "load it again if it is in memory; the old one serves until then")
    .action(async (id, options) =>
      (await import("./commands/models.ts")).runModelsLoad(id, options),
    );
  asking(models.command("unload"))
    .description("free a model's memory as soon as nothing uses it")
    .argument("<id>", "id of the model")
    .action(async (id, options) =>
      (await import("./commands/models.ts")).runModelsUnload(id, options),
    );
  asking(models.command("stats"))
    .description("what models have done since the core started")
    .argument("[id]", "id of the model; all that were used if left out")
    .action(async (id, options) =>
      (await import("./commands/models.ts")).runModelsStats(id, options),
    );
  asking(program.command("health"))
    .description("the devices of a running core; status 1 when it cannot serve")
    .action(async (options) => (await import("./commands/health.ts")).runHealth(options));

  asking(program.command("log-level"))
    .description("what a running core writes to its log")
    .argument("[level]", "debug, info, warn or error; shown if left out")
    .action(async (level, options) =>
      (await import("./commands/log-level.ts")).runLogLevel(level, options),
    );

  asking(program.command("reload"))
    .description(
      "have a core read its configuration again: models, log level, tokens, certificates",
    )
    .action(async (options) => (await import("./commands/reload.ts")).runReload(options));

  addAccess(program.command("doctor"))
    .description("check this machine, the avatars and, if named, a core; status 1 when one fails")
    .option("--config <file>", "the core's, or that of serve: devices, TLS and tokens are tried")
    .option(
      "--root <dir>",
      "folder that holds `avatars/`, or s3://bucket[/prefix]; .data, or the file's",
    )
    .option("--core <url>", "a core that should be running")
    .option("--timeout <seconds>", "for the core's answer; 10 if left out")
    .option("--json", "print the result as JSON")
    .action(async (options) => (await import("./commands/doctor.ts")).runDoctor(options));
}

function explain(error: unknown): string {
  const isTold =
    error instanceof CommandError ||
    error instanceof SettingsError ||
    error instanceof AvatarError ||
    error instanceof CoreError;
  if (isTold) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
