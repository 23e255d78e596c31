import * as z from "zod";
import { isAvatarId } from "../avatar/avatar-id.ts";
import { parseSettings, SettingsError } from "../avatar/settings.ts";

const modelSchema = z.strictObject({
  /** ONNX file, absolute or below models_root. Not needed for an avatar. */
  model_path: z.string().min(1).optional(),
  /** Load it at start. */
  preload: z.boolean().default(false),
  /** Device it is placed on while that device has room. */
  preferred_gpu: z.int().min(0).optional(),
});

const configSchema = z.strictObject({
  server: z
    .strictObject({
      /** Address to listen on. Loopback unless said otherwise. */
      host: z.string().min(1).default("127.0.0.1"),
      port: z.int().min(0).max(65_535).default(50_051),
      /** Largest request. */
      max_message_size_mb: z.number().positive().max(1024).default(64),
      worker_count_per_gpu: z.int().min(1).max(64).default(1),
      /** Requests that may wait or run per worker. */
      queue_size: z.int().min(1).max(10_000).default(50),
    })
    .prefault({}),
  gpus: z
    .strictObject({
      /** false runs each device on the CPU. */
      enabled: z.boolean().default(false),
      count: z.int().min(1).max(64).default(1),
      memory_gb_per_gpu: z.number().positive().max(1024).default(4),
      assignment_strategy: z.enum(["round-robin", "least-loaded"]).default("least-loaded"),
      /** Threads of one model run on a CPU device; 0 shares the cores among the workers. */
      cpu_threads_per_worker: z.int().min(0).max(256).default(0),
    })
    .prefault({}),
  capacity: z
    .strictObject({
      max_models: z.int().min(1).max(1_000_000).default(1200),
      /** Memory of all models together. */
      max_memory_gb: z.number().positive().max(65_536).default(8),
      eviction_policy: z.enum(["lru", "lfu"]).default("lru"),
      /** Models that nobody used for so long leave; 0 keeps them. */
      idle_timeout_minutes: z.number().min(0).max(100_000).default(60),
    })
    .prefault({}),
  /** The folder that holds `avatars/`; relative to the configuration file. */
  models_root: z.string().min(1).default(".data"),
  models: z
    .record(z.string().refine(isAvatarId, "expected a model id of a-z, 0-9, - and _"), modelSchema)
    .default({}),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

/** The core's configuration, complete and checked. */
export type CoreConfig = z.infer<typeof configSchema>;
export type ModelConfig = z.infer<typeof modelSchema>;

/** Fills in defaults and checks values. @param source Named in errors. @throws SettingsError */
export function parseCoreConfig(value: unknown, source: string): CoreConfig {
  const config = parseSettings(configSchema, value, source);
  for (const [id, model] of Object.entries(config.models)) {
    if (model.preferred_gpu === undefined || model.preferred_gpu < config.gpus.count) continue;
    throw new SettingsError(
      `${source}: models.${id}.preferred_gpu: ${model.preferred_gpu} does not exist, allowed are 0 to ${config.gpus.count - 1} (gpus.count)`,
    );
  }
  return config;
}
