import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import type { S3Options } from "../../avatar/s3/s3-client.ts";

export interface S3Endpoint {
  /** Of bucket `avatars`; the prefix is empty. */
  readonly options: S3Options;
  /** The variables that S3 tools read. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const BUCKET = "avatars";
const credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret" };

/** R2 in workerd on loopback, behind its S3 endpoint, which checks signatures. */
export async function startS3Endpoint(): Promise<S3Endpoint> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-s3-"));
  const main = join(root, "worker.js");
  await writeFile(main, "export default { fetch: () => new Response(null) };");
  const harness = createTestHarness({
    root,
    workers: [
      {
        config: {
          name: "s3-endpoint",
          main,
          compatibility_date: "2026-01-01",
          r2_buckets: [
            {
              binding: "AVATARS",
              bucket_name: BUCKET,
              local_dev: { experimental_s3_credentials: credentials },
            },
          ],
        },
      },
    ],
  });
  const { url } = await harness.listen();
  const endpoint = new URL("/cdn-cgi/local/r2/s3", url).href;
  return {
    options: { endpoint, region: "auto", bucket: BUCKET, prefix: "", credentials },
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    async stop() {
      await harness.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
