import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createClient,
  createHandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { silentLogger } from "../avatar/logger.ts";
import { createHealthService, MAX_WATCHES } from "../gpu-core/rpc/health-service.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../proto/gen/grpc/health/v1/health_pb.js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../proto/gen/grpc/reflection/v1/reflection_pb.js";
import { AdminService } from "../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import {
  HealthResponseSchema,
  InferenceService,
} from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { mouthpiece } from "./support/run-command.ts";
import { startSystem, type TestSystem } from "./support/system.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** A watch that never says what a test waits for fails it. */
const WATCH_LIMIT_MS = 30_000;

const hasCode = (code: Code) => (error: unknown) => {
  assert.equal(ConnectError.from(error).code, code, String(error));
  return true;
};

describe("operating a core", () => {
  let system: TestSystem;
  let root: string;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    root = await temporaryFolder({ after: (end) => ends.push(end) });
    for (const id of ["ada", "fragile"]) await writeTinyAvatar(root, id);
    system = await startSystem(root);
  });
  after(async () => {
    await system.stop();
    for (const end of ends) await end();
  });

  const grpc = () => createGrpcTransport({ baseUrl: system.core.url });
  const health = () => createClient(Health, grpc());
  const inference = () => createClient(InferenceService, grpc());

  async function modelPath(id: string): Promise<string> {
    const folder = join(root, "avatars", id);
    const version = (await readdir(folder)).find((name) => /^[0-9a-f]{32}$/.test(name));
    return join(folder, version!, "model.onnx");
  }

  /** A watch without a wire, which looks at the running core often. */
  function quickWatch(service: string, closing: AbortSignal) {
    const { watch } = createHealthService(system.core.core, silentLogger, {
      closing,
      pause: (signal) => sleep(2, undefined, { signal }),
    });
    const context = createHandlerContext({
      service: Health,
      method: Health.method.watch,
      protocolName: "grpc",
      requestMethod: "POST",
      url: system.core.url,
      requestSignal: AbortSignal.timeout(WATCH_LIMIT_MS),
    });
    const statuses = watch(create(HealthCheckRequestSchema, { service }), context);
    const iterator = statuses[Symbol.asyncIterator]();
    return { next: async () => (await iterator.next()).value?.status as Status | undefined };
  }

  /** Opens a watch. `next` is the next status that it tells. */
  function watch(client: ReturnType<typeof health>, service: string) {
    const leave = new AbortController();
    const signal = AbortSignal.any([leave.signal, AbortSignal.timeout(WATCH_LIMIT_MS)]);
    const statuses = client.watch({ service }, { signal })[Symbol.asyncIterator]();
    return {
      next: async () => (await statuses.next()).value?.status as Status | undefined,
      leave: () => leave.abort(),
    };
  }

  test("Check knows the core, its service and its models", async () => {
    const client = health();
    for (const service of ["", InferenceService.typeName, "ada"]) {
      assert.equal((await client.check({ service })).status, Status.SERVING, service);
    }
    for (const service of ["nobody", "../ada", "mouthpiece.inference.v2.InferenceService"]) {
      await assert.rejects(client.check({ service }), hasCode(Code.NotFound));
    }
    await assert.rejects(
      client.check({ service: "x".repeat(10_000) }),
      hasCode(Code.ResourceExhausted),
    );
  });

  test("Watch tells when a model fails to load, and when it is well again", async () => {
    const path = await modelPath("fragile");
    const whole = await readFile(path);
    const watching = watch(health(), "fragile");
    assert.equal(await watching.next(), Status.SERVING);
    await writeFile(path, "no model");
    await assert.rejects(inference().loadModel({ modelId: "fragile" }));
    assert.equal(await watching.next(), Status.NOT_SERVING);
    assert.equal((await health().check({ service: "fragile" })).status, Status.NOT_SERVING);
    assert.equal((await health().check({ service: "" })).status, Status.SERVING);
    await writeFile(path, whole);
    await inference().loadModel({ modelId: "fragile" });
    assert.equal(await watching.next(), Status.SERVING);
    watching.leave();
  });

  test("Watch of an unknown name goes on, and tells when it exists", async () => {
    const watching = watch(health(), "late");
    assert.equal(await watching.next(), Status.SERVICE_UNKNOWN);
    await writeTinyAvatar(root, "late");
    assert.equal(await watching.next(), Status.SERVING);
    watching.leave();
  });

  test("watches are bounded, and one that leaves makes room", async () => {
    const client = health();
    const watches = Array.from({ length: MAX_WATCHES }, () => watch(client, ""));
    const first = await Promise.all(watches.map(({ next }) => next()));
    assert.ok(first.every((status) => status === Status.SERVING));
    await assert.rejects(watch(client, "").next(), hasCode(Code.ResourceExhausted));
    watches[0]!.leave();
    await assert.rejects(watches[0]!.next(), hasCode(Code.Canceled));
    // That it has left takes a moment to arrive.
    const another = async (tries: number): Promise<Status | undefined> => {
      const late = watch(client, "");
      try {
        return await late.next();
      } catch (error) {
        if (tries === 0) throw error;
        await sleep(10);
        return another(tries - 1);
      } finally {
        late.leave();
      }
    };
    assert.equal(await another(200), Status.SERVING);
    for (const { leave } of watches) leave();
  });

  test("Watch tells a device that died, and that the core stops", async () => {
    const closing = new AbortController();
    const core = quickWatch("", closing.signal);
    const model = quickWatch("ada", closing.signal);
    assert.deepEqual([await core.next(), await model.next()], [Status.SERVING, Status.SERVING]);
    process.kill(system.core.core.engine.devices[0]!.pid!, "SIGKILL");
    for (const expected of [Status.NOT_SERVING, Status.SERVING]) {
      assert.deepEqual(await Promise.all([core.next(), model.next()]), [expected, expected]);
    }
    closing.abort();
    for (const each of [core, model]) {
      assert.equal(await each.next(), Status.NOT_SERVING);
      await assert.rejects(each.next(), hasCode(Code.Unavailable));
    }
  });

  test("reflection, v1 and v1alpha, lists the services and describes their files", async () => {
    const older: Interceptor = (next) => (request) =>
      next({ ...request, url: request.url.replace(".v1.", ".v1alpha.") });
    const transport = (interceptors: Interceptor[]) =>
      createGrpcTransport({ baseUrl: system.core.url, interceptors });
    const [client, olderClient] = [[], [older]].map((interceptors) =>
      createClient(ServerReflection, transport(interceptors)),
    );
    type Question = ServerReflectionRequest["messageRequest"];
    const questions: Question[] = [
      { case: "listServices", value: "" },
      {
        case: "fileContainingSymbol",
        value: "mouthpiece.inference.v1.InferenceService.InferBatch",
      },
      { case: "fileContainingSymbol", value: "grpc.health.v1.HealthCheckResponse.SERVING" },
      { case: "fileByFilename", value: "grpc/health/v1/health.proto" },
      { case: "fileByFilename", value: "nothing.proto" },
      { case: undefined },
    ];
    async function* ask() {
      for (const messageRequest of questions) yield { messageRequest };
    }
    const answersOf = async (asked: typeof client) => {
      const answers: ServerReflectionResponse["messageResponse"][] = [];
      for await (const answer of asked!.serverReflectionInfo(ask())) {
        answers.push(answer.messageResponse);
      }
      return answers;
    };
    const answers = await answersOf(client);
    assert.deepEqual(await answersOf(olderClient), answers);
    const [services, inference, value, health, ...failures] = answers;
    assert.ok(services?.case === "listServicesResponse");
    assert.deepEqual(
      services.value.service.map(({ name }) => name),
      [InferenceService, AdminService, Health, ServerReflection].map(({ typeName }) => typeName),
    );
    // What a client builds from the answer has the fields of the published design.
    assert.ok(inference?.case === "fileDescriptorResponse");
    const registry = createFileRegistry(
      create(FileDescriptorSetSchema, {
        file: inference.value.fileDescriptorProto.map((bytes) =>
          fromBinary(FileDescriptorProtoSchema, bytes),
        ),
      }),
    );
    const request = registry.getMessage("mouthpiece.inference.v1.InferBatchRequest");
    assert.deepEqual(
      request?.fields.map(({ name, number }) => [name, number]),
      [
        ["model_id", 1],
        ["visual_frames", 2],
        ["audio_features", 3],
        ["batch_size", 4],
      ],
    );
    assert.deepEqual(value, health);
    assert.deepEqual(
      failures.map((each) => each.case === "errorResponse" && each.value.errorCode),
      [Code.NotFound, Code.InvalidArgument],
    );
  });

  test("models: list, load, stats, unload", async () => {
    const at = ["--core", system.core.url];
    const loaded = await mouthpiece("models", "load", "ada", ...at, "--force", "--json");
    assert.equal(loaded.status, 0, loaded.err);
    const { model, loadMs } = JSON.parse(loaded.out);
    assert.equal(model.state, "ready");
    assert.ok(loadMs > 0);
    assert.match((await mouthpiece("models", "load", "ada", ...at)).out, /it was in memory/);

    const list = JSON.parse((await mouthpiece("models", "list", ...at, "--json")).out);
    const ada = list.find(({ id }: { id: string }) => id === "ada");
    assert.deepEqual(ada.placements, [{ device: 0, worker: 0 }]);
    assert.equal(ada.version, model.version);
    const table = (await mouthpiece("models", "list", "--loaded", ...at)).out;
    assert.match(table, /^id +state +device:worker/);
    assert.match(table, /^ada +ready +0:0 /m);

    const stats = JSON.parse((await mouthpiece("models", "stats", "ada", ...at, "--json")).out);
    assert.equal(stats.length, 1);
    assert.ok(stats[0].loads >= 1);
    assert.match((await mouthpiece("models", "stats", ...at)).out, /^id +requests +failures/);

    const unload = () => mouthpiece("models", "unload", "ada", ...at);
    assert.equal((await unload()).out, "ada is unloaded\n");
    const again = await unload();
    assert.deepEqual([again.status, again.out], [0, "ada was not in memory\n"]);
    const unknown = await mouthpiece("models", "load", "nobody", ...at);
    assert.equal(unknown.status, 1);
    assert.match(unknown.err, /^mouthpiece: there is no model nobody: /);
  });

  test("health: a table or JSON", async () => {
    const { status, out } = await mouthpiece("health", "--core", system.core.url);
    assert.equal(status, 0);
    assert.match(out, /^healthy, up for \d+ s, \d+ of 1200 models in memory\ndevice +kind +state/);
    const json = await mouthpiece("health", "--core", system.core.url, "--json");
    assert.equal(JSON.parse(json.out).devices[0].state, "ready");
  });

  test("a core that is not there, is not one, or is slow: status 1 and what to do", async (t) => {
    const gone = await mouthpiece("health", "--core", "http://127.0.0.1:1");
    assert.equal(gone.status, 1);
    assert.match(gone.err, /no core answers at http:\/\/127\.0\.0\.1:1 .*: start one with/);
    const edge = await mouthpiece("models", "list", "--core", system.edge.url);
    assert.equal(edge.status, 1);
    assert.match(edge.err, /is no core/);

    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const slow = await mouthpiece("health", "--core", url, "--timeout", "0.2");
    assert.equal(slow.status, 1);
    assert.match(slow.err, /did not answer within 0\.2 s: --timeout allows more/);
  });

  test("health of a core without a device is status 1", async (t) => {
    const answer = create(HealthResponseSchema, { healthy: false, maxModels: 3 });
    const body = toBinary(HealthResponseSchema, answer);
    const down = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/proto" }).end(body);
    });
    await new Promise<void>((resolve) => down.listen(0, "127.0.0.1", resolve));
    t.after(() => down.close());
    const url = `http://127.0.0.1:${(down.address() as AddressInfo).port}`;
    for (const json of [[], ["--json"]]) {
      const { status, out, err } = await mouthpiece("health", "--core", url, ...json);
      assert.equal(status, 1);
      assert.match(out, json.length ? /"healthy":false/ : /^not healthy/);
      assert.match(err, /no device is up/);
    }
  });

  test("wrong usage is status 2", async () => {
    for (const args of [
      ["models"],
      ["models", "load"],
      ["models", "list", "--core", "ftp://core"],
      ["health", "--timeout", "soon"],
      ["doctor", "--core", "nowhere"],
    ]) {
      const { status, err } = await mouthpiece(...args);
      assert.equal(status, 2, `${args.join(" ")}: ${err}`);
    }
  });

  test("doctor: what is wrong, and what to do", async (t) => {
    const folder = await temporaryFolder(t);
    const doctor = async (...args: string[]) => {
      const { status, out, err } = await mouthpiece("doctor", "--root", folder, "--json", ...args);
      const findings: { check: string; verdict: string; detail: string; advice: string }[] =
        JSON.parse(out).findings;
      const verdicts = Object.fromEntries(findings.map((each) => [each.check, each.verdict]));
      return { status, err, findings, verdicts };
    };
    const empty = await doctor();
    assert.equal(empty.status, 0, empty.err);
    assert.equal(empty.verdicts.avatars, "warn");
    assert.equal(empty.verdicts.node, "ok");
    assert.equal(empty.verdicts.build, "ok");
    assert.match(empty.findings.find(({ check }) => check === "onnxruntime")!.detail, /cpu/);

    for (const id of ["good", "bad"]) await writeTinyAvatar(folder, id);
    const good = await doctor("--core", system.core.url);
    assert.deepEqual([good.status, good.verdicts.avatars, good.verdicts.core], [0, "ok", "ok"]);

    const configured = async (settings: object) => {
      const path = join(folder, "core.yaml");
      await writeFile(path, JSON.stringify(settings));
      const { out, status } = await mouthpiece("doctor", "--config", path);
      return { out, status };
    };
    const well = await configured({ models_root: ".", gpus: { count: 2 } });
    assert.match(
      well.out,
      /^ok {4}config: .*core.yaml\nok {4}access: neither.*\nok {4}device 0: runs models on cpu\nok {4}device 1: .*\nok {4}avatars: 2 of 2/m,
    );
    assert.equal(well.status, 0);
    const gpus = { enabled: true, execution_providers: ["tensorrt"] };
    const server = { token_file: "no-such-file" };
    // As `serve` has it.
    const ill = await configured({ core: { models_root: ".", gpus, server }, edge: {} });
    assert.equal(ill.status, 1);
    assert.match(ill.out, /^fail {2}access: .*server.token_file/m);
    assert.match(ill.out, /^fail {2}device 0: .*the execution provider tensorrt is not installed/m);
    assert.match(ill.out, /^(?:warn|ok {2}) {2}device 0 memory: /m);
    const wrong = await configured({ gpus: { count: 0 } });
    assert.match(wrong.out, /^fail {2}config: .*gpus.count/m);

    await writeFile(join(folder, "avatars", "bad", "avatar.json"), "{}");
    const bad = await doctor("--core", "http://127.0.0.1:1");
    assert.equal(bad.status, 1);
    assert.match(bad.err, /2 of \d+ checks failed/);
    const { avatars, core } = bad.verdicts;
    assert.deepEqual([avatars, bad.verdicts["avatar bad"], core], ["ok", "fail", "fail"]);
    assert.match(
      (await mouthpiece("doctor", "--root", folder)).out,
      /^fail {2}avatar bad: .*\n.*->/m,
    );
  });
});

test("a core that stops ends its watches first", async (t) => {
  const system = await startSystem(await temporaryFolder(t));
  let stopped: Promise<void> | undefined;
  try {
    const client = createClient(Health, createGrpcTransport({ baseUrl: system.core.url }));
    const signal = AbortSignal.timeout(WATCH_LIMIT_MS);
    const statuses = client.watch({}, { signal })[Symbol.asyncIterator]();
    assert.equal((await statuses.next()).value?.status, Status.SERVING);
    stopped = system.stop();
    assert.equal((await statuses.next()).value?.status, Status.NOT_SERVING);
    await assert.rejects(statuses.next(), hasCode(Code.Unavailable));
  } finally {
    await (stopped ?? system.stop());
  }
});

test("a core that stops ends a reflection stream that asks nothing more", async (t) => {
  const system = await startSystem(await temporaryFolder(t));
  const transport = createGrpcTransport({ baseUrl: system.core.url });
  const client = createClient(ServerReflection, transport);
  const over = Promise.withResolvers<void>();
  async function* ask() {
    yield { messageRequest: { case: "listServices", value: "" } as const };
    await over.promise;
  }
  const signal = AbortSignal.timeout(WATCH_LIMIT_MS);
  const answers = client.serverReflectionInfo(ask(), { signal })[Symbol.asyncIterator]();
  let stopped: Promise<void> | undefined;
  try {
    assert.equal((await answers.next()).done, false);
    stopped = system.stop();
    await assert.rejects(answers.next(), hasCode(Code.Unavailable));
  } finally {
    over.resolve();
    await (stopped ?? system.stop());
  }
});
