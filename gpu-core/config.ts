import * as z from "zod";
import { isAvatarId } from "../avatar/avatar-id.ts";
import { isLoopback } from "../avatar/runtime/loopback.ts";
import { parseSettings, SettingsError } from "../avatar/settings.ts";

/** Seconds in milliseconds, where a configuration says seconds. */
const seconds = (least: number, most: number) => z.number().min(least).max(most);

const executionProviderSchema = z.enum(["tensorrt", "cuda", "webgpu", "cpu"]);
const precisionSchema = z.enum(["fp32", "fp16"]);

/** Requests that may wait or run per model. */
const queueSizeSchema = z.int().min(1).max(10_000);
/** A batch that is not full may wait so long for more. */
const queueDelaySchema = z.number().min(0).max(1000);

const modelSchema = z.strictObject({
  /** ONNX file, absolute or below models_root. Not needed for an avatar. */
  model_path: z.string().min(1).optional(),
  /** Load it at start, and keep it though nobody uses it. */
  preload: z.boolean().default(false),
  /** Device it is placed on while that device has room. */
  preferred_gpu: z.int().min(0).optional(),
  /** Instead of gpus.precision. */
  precision: precisionSchema.optional(),
  /** Instead of batching's; no larger than batching.max_batch_size, up to which is warmed up. */
  max_batch_size: z.int().min(1).max(64).optional(),
  max_queue_delay_ms: queueDelaySchema.optional(),
  /** Instead of server.queue_size. */
  queue_size: queueSizeSchema.optional(),
});

const serverSchema = z.strictObject({
  /** Address to listen on. Loopback unless said otherwise. */
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(0).max(65_535).default(50_051),
  /** Largest request. */
  max_message_size_mb: z.number().positive().max(1024).default(64),
  worker_count_per_gpu: z.int().min(1).max(64).default(1),
  queue_size: queueSizeSchema.default(50),
  /** Tensors of InferBatch requests that wait or run, and of their answers; the largest takes 89. */
  tensor_memory_mb: z.number().min(96).max(1_000_000).default(1024),
  /** A request whose first frame has not begun by then, for its model's load included, is refused; 0 waits for its deadline. */
  queue_timeout_s: seconds(0, 3600).default(10),
  /** A caller that takes no frame for so long is given up. */
  reader_timeout_s: seconds(0.1, 3600).default(60),
  /** SIGTERM lets requests under way finish for so long. */
  drain_timeout_s: seconds(0, 3600).default(10),
  /** Serve TLS; with client_ca, only callers whose certificate it signed (mTLS). PEM files. */
  tls: z
    .strictObject({
      cert: z.string().min(1),
      key: z.string().min(1),
      client_ca: z.string().min(1).optional(),
    })
    .optional(),
  /** File of bearer tokens, one per line; callers need one of them. Read again on SIGHUP. */
  token_file: z.string().min(1).optional(),
  /** Listen beyond loopback with neither tokens nor client certificates. */
  allow_insecure: z.boolean().default(false),
});

const deviceSchema = z.strictObject({
  execution_providers: z.array(executionProviderSchema).min(1).optional(),
  memory_gb: z.number().positive().max(1024).optional(),
});

const gpusSchema = z.strictObject({
  /** false runs each device on the CPU. */
  enabled: z.boolean().default(false),
  count: z.int().min(1).max(64).default(1),
  /** Memory for models, per device. */
  memory_gb_per_gpu: z.number().positive().max(1024).default(4),
  assignment_strategy: z.enum(["round-robin", "least-loaded"]).default("least-loaded"),
  /** Threads of one model run on a CPU device; 0 shares the cores among the workers. */
  cpu_threads_per_worker: z.int().min(0).max(256).default(0),
  /** In order of preference. Without `cpu` in it nothing ever falls back to the CPU. */
  execution_providers: z.array(executionProviderSchema).min(1).default(["cuda"]),
  /** Weights and arithmetic of the U-Net. */
  precision: precisionSchema.default("fp32"),
  /** By index, what differs for one device. */
  devices: z
    .record(z.string().regex(/^(0|[1-9]\d*)$/, "expected an index such as 0"), deviceSchema)
    .default({}),
});

const batchingSchema = z.strictObject({
  /** Frames of one model that run together; each size up to it is warmed up. Default: 8 on GPUs, 1 on CPUs. */
  max_batch_size: z.int().min(1).max(64).optional(),
  max_queue_delay_ms: queueDelaySchema.default(0),
});

const capacitySchema = z.strictObject({
  max_models: z.int().min(1).max(1_000_000).default(1200),
  /** Host memory of all models together. */
  max_memory_gb: z.number().positive().max(65_536).default(8),
  eviction_policy: z.enum(["lru", "lfu"]).default("lru"),
  /** Models that nobody used for so long leave; 0 keeps them. */
  idle_timeout_minutes: z.number().min(0).max(100_000).default(60),
  /** Copies of a hot model, each on another worker. */
  max_replicas: z.int().min(1).max(64).default(4),
});

const supervisionSchema = z.strictObject({
  /** From starting a device's process to its workers taking commands. */
  start_timeout_s: seconds(0.1, 3600).default(60),
  ping_interval_s: seconds(0.05, 3600).default(2),
  /** A process that does not answer a ping for so long is killed. */
  ping_timeout_s: seconds(0.05, 3600).default(10),
  /** A batch that takes longer hangs: the process is killed. */
  run_timeout_s: seconds(0.1, 3600).default(60),
  /** Loading, compiling and warming up a model. */
  load_timeout_s: seconds(0.1, 3600).default(120),
  /** Resident memory at which a process is started again; 0 is no limit. */
  memory_limit_gb: z.number().min(0).max(65_536).default(0),
  /** A device whose process ends more often within the window is taken out while others serve. */
  max_restarts: z.int().min(1).max(100_000).default(10),
  restart_window_s: seconds(1, 86_400).default(120),
});

const faultSchema = z.strictObject({
  /** Where it happens, and below what can. */
  point: z.enum(["device.start", "device.ping", "model.load", "model.run"]),
  action: z.enum(["delay", "fail", "hang", "exit"]),
  /** Only for this model, device, or process of a device (0 is the first, 1 the one after a restart). */
  model: z.string().optional(),
  device: z.int().min(0).optional(),
  process: z.int().min(0).optional(),
  /** Passes that go by before it happens, and how often it happens; 0 is always. */
  skip: z.int().min(0).default(0),
  count: z.int().min(0).default(1),
  delay_ms: z.number().min(0).max(600_000).default(0),
});

const configSchema = z.strictObject({
  server: serverSchema.prefault({}),
  gpus: gpusSchema.prefault({}),
  batching: batchingSchema.prefault({}),
  capacity: capacitySchema.prefault({}),
  supervision: supervisionSchema.prefault({}),
  /** What holds `avatars/`: a folder, relative to the configuration file, or s3://bucket/prefix. */
  models_root: z.string().min(1).default(".data"),
  /** Where models of a bucket are kept on disk. */
  model_cache: z
    .strictObject({
      path: z.string().min(1).default(".model-cache"),
      max_gb: z.number().positive().max(1_000_000).default(20),
    })
    .prefault({}),
  /** `explicit`: requests do not load models; those that are preloaded or were loaded by name are served. */
  model_control: z.enum(["on-demand", "explicit"]).default("on-demand"),
  models: z
    .record(z.string().refine(isAvatarId, "expected a model id of a-z, 0-9, - and _"), modelSchema)
    .default({}),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** OpenTelemetry traces. */
  tracing: z
    .strictObject({
      /** OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Without it nothing is traced. */
      otlp_endpoint: z.url({ protocol: /^https?$/ }).optional(),
      /** Share of requests that are traced when the caller has not decided. */
      sample_ratio: z.number().min(0).max(1).default(1),
      /** Name of this service in its traces. */
      service_name: z.string().min(1).default("mouthpiece-core"),
    })
    .prefault({}),
  /** For tests of failures. */
  faults: z.array(faultSchema).default([]),
});

/** The core's configuration, complete and checked. */
export type CoreConfig = z.infer<typeof configSchema>;
export type ModelConfig = z.infer<typeof modelSchema>;
export type SupervisionConfig = z.infer<typeof supervisionSchema>;
export type FaultSpec = z.infer<typeof faultSchema>;
export type FaultPoint = FaultSpec["point"];
export type ExecutionProvider = z.infer<typeof executionProviderSchema>;
export type Precision = z.infer<typeof precisionSchema>;

/** Fills in defaults and checks values. @param source Named in errors. @throws SettingsError */
export function parseCoreConfig(value: unknown, source: string): CoreConfig {
  const config = parseSettings(configSchema, value, source);
  const last = config.gpus.count - 1;
  const largestBatch = maxBatchSize(config);
  for (const [id, { preferred_gpu = 0, max_batch_size = 1 }] of Object.entries(config.models)) {
    if (preferred_gpu > last) {
      throw new SettingsError(
        `${source}: models.${id}.preferred_gpu: ${preferred_gpu} does not exist, allowed are 0 to ${last} (gpus.count)`,
      );
    }
    if (max_batch_size > largestBatch) {
      throw new SettingsError(
        `${source}: models.${id}.max_batch_size: ${max_batch_size} is more than batching.max_batch_size, which is ${largestBatch}`,
      );
    }
  }
  for (const index of Object.keys(config.gpus.devices)) {
    if (Number(index) <= last) continue;
    throw new SettingsError(
      `${source}: gpus.devices.${index}: it does not exist, allowed are 0 to ${last} (gpus.count)`,
    );
  }
  checkExposure(config.server, source);
  for (const [at, fault] of config.faults.entries()) {
    const problem = faultProblem(fault);
    if (problem) throw new SettingsError(`${source}: faults.${at}: ${problem}`);
  }
  return config;
}

/** Who can reach the port can load models and use the GPUs. */
function checkExposure(server: CoreConfig["server"], source: string): void {
  const { host, token_file, tls, allow_insecure } = server;
  if (isLoopback(host) || token_file !== undefined || tls?.client_ca || allow_insecure) return;
  throw new SettingsError(
    `${source}: server.host: ${host} can be reached from other machines, and anybody there could use the core: set server.token_file or server.tls.client_ca, or server.allow_insecure: true where a network that you trust is the limit`,
  );
}

/** What a device runs its models on, in order of preference. */
export function executionProviders({ gpus }: CoreConfig, device: number): ExecutionProvider[] {
  if (!gpus.enabled) return ["cpu"];
  return gpus.devices[device]?.execution_providers ?? gpus.execution_providers;
}

/** Frames of one model that run together. On a CPU a batch takes as long as its frames one by one. */
export function maxBatchSize(config: CoreConfig): number {
  return config.batching.max_batch_size ?? (config.gpus.enabled ? 8 : 1);
}

/** What can happen at each point, and by what else than the device it can be narrowed down. */
const FAULT_POINTS: Readonly<
  Record<
    FaultPoint,
    { actions: readonly FaultSpec["action"][]; narrowing: readonly ("model" | "process")[] }
  >
> = {
  "device.start": { actions: ["delay", "hang", "exit"], narrowing: [] },
  "device.ping": { actions: ["delay", "hang", "exit"], narrowing: ["process"] },
  "model.load": { actions: ["delay", "fail", "hang", "exit"], narrowing: ["model", "process"] },
  "model.run": { actions: ["delay", "fail", "hang", "exit"], narrowing: ["model", "process"] },
};

/** A fault that never happens would prove what nobody has tried. */
function faultProblem(fault: FaultSpec): string | null {
  const { point, action, delay_ms } = fault;
  const { actions, narrowing } = FAULT_POINTS[point];
  if (!actions.includes(action)) {
    return `${action} cannot happen at ${point}, allowed are ${actions.join(", ")}`;
  }
  if (action === "delay" && delay_ms === 0) return "a delay needs delay_ms";
  for (const key of ["model", "process"] as const) {
    if (fault[key] === undefined || narrowing.includes(key)) continue;
    return `${key} says nothing at ${point}: leave it out`;
  }
  return null;
}
