import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import type { IScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import type {
  IPrometheusRule,
  IServiceMonitor,
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import type { IStatefulSet } from "kubernetes-models/apps/v1";
import type { IHorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import type { IIngress, INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1";
import type { IService, IServiceAccount } from "kubernetes-models/v1";
import { parse } from "yaml";
import { silentLogger } from "../../avatar/logger.ts";
import { isLoopback } from "../../avatar/runtime/loopback.ts";
import { coreConfigFrom } from "../../cli/commands/core.ts";
import { openAccess } from "../../edge/access/open-access.ts";
import { createLocalRateLimiter } from "../../edge/access/rate-limiter.ts";
import { edgeConfigFrom } from "../../edge/runtime/edge-config-file.ts";
import { exportedSeries } from "../../test/support/exported-series.ts";
import { readImage } from "../docker/dockerfile.ts";
import { filesOf, ofKind, selects, type Workload, workloadOf } from "./cluster.ts";
import { type KubernetesObject, lint, RELEASE, render } from "./helm.ts";
import { problemsOf } from "./object-schemas.ts";

/** Files of the chart's `ci/`, each over the values that have to be said. */
const SETS: readonly (readonly string[])[] = [
  [],
  ["tls"],
  ["mutual-tls"],
  ["scaled"],
  ["ingress"],
  ["cpu"],
  ["mutual-tls", "scaled", "ingress"],
];
const CONFIG_FOLDER = "/etc/mouthpiece";
/** What ending a process may take beyond the time that requests get, in seconds. */
const LEAST_GRACE_S = 10;

for (const set of SETS) {
  describe(`with ${set.join(" and ") || "what has to be said"}`, () => {
    let objects: KubernetesObject[];
    let core: Workload;
    let edge: Workload;
    before(async () => {
      objects = await render(["required", ...set]);
      core = workloadOf(objects, "core");
      edge = workloadOf(objects, "edge");
    });

    /** The configurations as the two read them, which refuse what they do not know. */
    function configs() {
      const read = (workload: Workload, name: string) => {
        const value: unknown = parse(filesOf(objects, workload).get(name) ?? "null");
        return { value, source: name, folder: CONFIG_FOLDER };
      };
      return {
        core: coreConfigFrom(read(core, "config.yaml")),
        edge: edgeConfigFrom(read(edge, "edge.yaml")),
      };
    }

    test("Helm finds nothing, and every object is as its schema says", async () => {
      await lint(["required", ...set]);
      assert.deepEqual(await problemsOf(objects), []);
    });

    test("no two objects have one name, and all are in the release's namespace", () => {
      const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      assert.deepEqual(names, [...new Set(names)]);
      for (const { metadata } of objects) assert.equal(metadata.namespace, RELEASE.namespace);
    });

    test("core and edge take their configurations, and the files that these name are there", () => {
      const { core: coreConfig, edge: edgeConfig } = configs();
      const { tls, token_file } = coreConfig.server;
      const named = {
        core: [token_file, tls?.cert, tls?.key, tls?.client_ca],
        edge: [
          edgeConfig.access.tokens.keys_file,
          edgeConfig.core.token_file,
          ...Object.values(edgeConfig.core.tls ?? {}),
        ],
      };
      for (const [workload, paths] of [
        [core, named.core],
        [edge, named.edge],
      ] as const) {
        const files = filesOf(objects, workload);
        for (const path of paths) {
          if (path === undefined) continue;
          assert.equal(files.get(path.slice(CONFIG_FOLDER.length + 1)), null, path);
        }
      }
      // Its key is the core's alone.
      assert.equal(
        filesOf(objects, edge).has("tls/tls.key"),
        edgeConfig.core.tls?.key !== undefined,
      );
    });

    test("the edge lets in whom the values name, and starts", () => {
      const { edge: edgeConfig } = configs();
      const access = openAccess(edgeConfig, {
        isReachable: !isLoopback(edgeConfig.server.host),
        tokenKeys: [],
        limiter: createLocalRateLimiter(() => 0),
        logger: silentLogger,
      });
      assert.equal(access.isOpen, set.includes("cpu"));
      assert.equal(access.knowsOrigin("https://www.acme.example"), true);
    });

    test("the edge looks for cores where they are, and as they are", () => {
      const { core: coreConfig, edge: edgeConfig } = configs();
      const { discover } = edgeConfig.core;
      const [service] = ofKind<IService>(objects, "Service").filter(
        ({ spec }) => spec?.clusterIP === "None",
      );
      assert.ok(service && discover);
      const host = `${service.metadata?.name}.${RELEASE.namespace}.svc.cluster.local`;
      assert.equal(discover.dns, host);
      assert.equal(discover.port, coreConfig.server.port);
      assert.equal(discover.scheme, coreConfig.server.tls ? "https" : "http");
      assert.ok(discover.leave_s > coreConfig.server.drain_timeout_s);
      assert.ok(selects(service.spec?.selector as Record<string, string>, core.labels));
      const [set] = ofKind<IStatefulSet>(objects, "StatefulSet");
      assert.equal(set?.spec?.serviceName, service.metadata?.name);
      const hasToken = edgeConfig.core.token_file !== undefined;
      assert.equal(hasToken, coreConfig.server.token_file !== undefined);
      assert.equal(
        edgeConfig.core.tls?.cert !== undefined,
        coreConfig.server.tls?.client_ca !== undefined,
      );
    });

    test("probes and services name ports that containers have and configurations listen on", () => {
      const { core: coreConfig, edge: edgeConfig } = configs();
      for (const [workload, server] of [
        [core, coreConfig.server],
        [edge, edgeConfig.server],
      ] as const) {
        const { ports = [], startupProbe, livenessProbe, readinessProbe } = workload.container;
        assert.deepEqual(
          ports.map(({ containerPort }) => containerPort),
          [server.port],
        );
        assert.equal(server.host, "0.0.0.0");
        for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
          const { httpGet, tcpSocket } = probe ?? {};
          assert.equal((httpGet ?? tcpSocket)?.port, ports[0]?.name);
          const tls = "tls" in server ? server.tls : undefined;
          // Who asks for certificates gets none from the kubelet.
          assert.equal(httpGet === undefined, tls?.client_ca !== undefined);
          if (httpGet) assert.equal(httpGet.scheme, tls ? "HTTPS" : "HTTP");
        }
      }
      for (const { spec } of ofKind<IService>(objects, "Service")) {
        const target = [core, edge].find(({ labels }) => selects(spec?.selector as never, labels));
        const names = target?.container.ports?.map(({ name }) => name);
        for (const { targetPort } of spec?.ports ?? [])
          assert.ok(names?.includes(String(targetPort)));
      }
    });

    test("a pod gets longer to end than its requests do", () => {
      const { core: coreConfig, edge: edgeConfig } = configs();
      const graceOf = ({ pod }: Workload) => pod.terminationGracePeriodSeconds ?? 0;
      assert.ok(graceOf(core) >= coreConfig.server.drain_timeout_s + LEAST_GRACE_S);
      const { seconds = 0 } = edge.container.lifecycle?.preStop?.sleep ?? {};
      assert.ok(
        seconds > 0 && graceOf(edge) >= seconds + edgeConfig.server.drain_timeout_s + LEAST_GRACE_S,
      );
    });

    test("nothing is root, may become it, writes to its image, or talks to the API", async () => {
      for (const [name, { pod, container }] of [
        ["core", core],
        ["edge", edge],
      ] as const) {
        const image = await readImage(new URL(`../docker/${name}.Dockerfile`, import.meta.url));
        const [uid, gid] = image.last.one("USER")[0]!.split(":").map(Number);
        const { securityContext = {} } = pod;
        assert.deepEqual(securityContext, {
          runAsNonRoot: true,
          runAsUser: uid,
          runAsGroup: gid,
          fsGroup: gid,
          fsGroupChangePolicy: "OnRootMismatch",
          seccompProfile: { type: "RuntimeDefault" },
        });
        for (const each of [container, ...(pod.initContainers ?? [])]) {
          assert.deepEqual(each.securityContext, {
            allowPrivilegeEscalation: false,
            privileged: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
        }
        assert.deepEqual(
          [pod.hostNetwork, pod.hostPID, pod.hostIPC],
          [undefined, undefined, undefined],
        );
        assert.equal(pod.automountServiceAccountToken, false);
        assert.deepEqual(container.args?.slice(0, 2), image.last.one("CMD").slice(0, 2));
        assert.equal(container.args?.[2], image.last.one("CMD")[2]);
        assert.doesNotMatch(container.image ?? "", /:latest$|^[^:@]*$/);
      }
      for (const account of ofKind<IServiceAccount>(objects, "ServiceAccount")) {
        assert.equal(account.automountServiceAccountToken, false);
      }
    });

    test("what has to be written to can be: /tmp, and the core's models", () => {
      const { core: coreConfig } = configs();
      const writable = ({ container }: Workload) =>
        container.volumeMounts
          ?.filter(({ readOnly }) => !readOnly)
          .map(({ mountPath }) => mountPath);
      assert.deepEqual(writable(edge), ["/tmp"]);
      assert.deepEqual(writable(core), ["/var/cache/mouthpiece", "/tmp"]);
      assert.ok(coreConfig.model_cache.path.startsWith("/var/cache/mouthpiece/"));
    });

    test("one core a node, with as many GPUs as its configuration says", () => {
      const { core: coreConfig } = configs();
      const [term] =
        core.pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      assert.equal(term?.topologyKey, "kubernetes.io/hostname");
      assert.ok(selects(term?.labelSelector?.matchLabels, core.labels));
      assert.ok(!selects(term?.labelSelector?.matchLabels, edge.labels));
      const gpus = core.container.resources?.limits?.["nvidia.com/gpu"];
      assert.equal(gpus, coreConfig.gpus.enabled ? coreConfig.gpus.count : undefined);
      const isOnGpuNodes = core.pod.nodeSelector?.["nvidia.com/gpu.present"] === "true";
      assert.equal(isOnGpuNodes, coreConfig.gpus.enabled);
    });

    test("selectors and targets hit what they mean", () => {
      for (const { metadata, spec } of ofKind<IPodDisruptionBudget>(
        objects,
        "PodDisruptionBudget",
      )) {
        const hit = [core, edge].filter(({ labels }) =>
          selects(spec?.selector?.matchLabels, labels),
        );
        assert.deepEqual(
          hit.map(({ name }) => name),
          [metadata?.name],
        );
      }
      for (const { spec } of ofKind<IServiceMonitor>(objects, "ServiceMonitor")) {
        const hit = ofKind<IService>(objects, "Service").filter(({ metadata }) =>
          selects(spec.selector.matchLabels as never, metadata?.labels ?? {}),
        );
        assert.equal(hit.length, 1);
        assert.deepEqual(
          hit[0]?.spec?.ports?.map(({ name }) => name),
          spec.endpoints?.map(({ port }) => port),
        );
      }
      for (const { spec } of ofKind<IIngress>(objects, "Ingress")) {
        const backend = spec?.rules?.[0]?.http?.paths[0]?.backend.service;
        const service = ofKind<IService>(objects, "Service").find(
          ({ metadata }) => metadata?.name === backend?.name,
        );
        assert.ok(service?.spec?.ports?.some(({ name }) => name === backend?.port?.name));
      }
      const scaled = [
        ...ofKind<IHorizontalPodAutoscaler>(objects, "HorizontalPodAutoscaler"),
        ...ofKind<IScaledObject>(objects, "ScaledObject"),
      ];
      for (const { spec } of scaled) {
        const target = [core, edge].find(({ name }) => name === spec?.scaleTargetRef.name);
        assert.equal(target?.kind, spec?.scaleTargetRef.kind);
        // Two that set one number would undo each other's work at every upgrade.
        const object = objects.find(({ kind }) => kind === target?.kind) as
          | IStatefulSet
          | undefined;
        assert.equal(object?.spec?.replicas, undefined);
      }
    });

    test("the network is closed but for edges to cores, DNS, the bucket and who is named", () => {
      const policies = ofKind<INetworkPolicy>(objects, "NetworkPolicy");
      if (set.includes("cpu")) return assert.deepEqual(policies, []);
      const [deny, ...others] = policies;
      assert.deepEqual(deny?.spec?.policyTypes, ["Ingress", "Egress"]);
      assert.deepEqual([deny?.spec?.ingress, deny?.spec?.egress], [undefined, undefined]);
      for (const { labels } of [core, edge]) {
        assert.ok(selects(deny?.spec?.podSelector?.matchLabels, labels));
      }
      const policyOf = ({ labels }: Workload) => {
        const hit = others.filter(({ spec }) => selects(spec?.podSelector?.matchLabels, labels));
        assert.equal(hit.length, 1);
        return hit[0]?.spec;
      };
      const [coreIn, ...moreIn] = policyOf(core)?.ingress ?? [];
      assert.deepEqual(moreIn, []);
      const [fromEdge, ...fromOthers] = coreIn?.from ?? [];
      assert.ok(selects(fromEdge?.podSelector?.matchLabels, edge.labels));
      assert.ok(!selects(fromEdge?.podSelector?.matchLabels, core.labels));
      assert.equal(fromOthers.length, set.includes("scaled") ? 1 : 0);
      assert.equal(coreIn?.ports?.[0]?.port, core.container.ports?.[0]?.name);

      const egress = policyOf(edge)?.egress ?? [];
      assert.ok(
        egress.some(({ to }) =>
          selects(to?.[0]?.podSelector?.matchLabels ?? { none: "" }, core.labels),
        ),
      );
      for (const workload of [core, edge]) {
        const rules = policyOf(workload)?.egress ?? [];
        const ports = rules.flatMap((rule) => rule.ports?.map(({ port }) => port) ?? ["any"]);
        for (const port of [53, 443]) assert.ok(ports.includes(port), `${port}`);
        assert.ok(rules.every(({ to, ports }) => to && to.length > 0 && ports && ports.length > 0));
      }
    });

    test("what scales and alerts asks for numbers that cores export", async () => {
      const series = await exportedSeries();
      const labels = new Set(["namespace", "job", "service"]);
      for (const { spec } of ofKind<IScaledObject>(objects, "ScaledObject")) {
        assert.equal(spec.triggers.length, 2);
        for (const { metadata } of spec.triggers) {
          const [, name, matchers] =
            /(mouthpiece_core_\w+)\{([^}]*)\}/.exec(String(metadata.query)) ?? [];
          const known = series.get(name ?? "");
          assert.ok(known, String(metadata.query));
          for (const [, label] of (matchers ?? "").matchAll(/(\w+)=/g)) {
            assert.ok(known.has(label!) || labels.has(label!), label);
          }
        }
      }
      for (const { spec } of ofKind<IPrometheusRule>(objects, "PrometheusRule")) {
        const file = new URL("../prometheus/alerts.yml", import.meta.url);
        assert.deepEqual(spec, parse(await readFile(file, "utf8")));
      }
    });
  });
}

test("values that cannot work are refused with the key to change", async () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["core.replica=2", /\/core'.*replica/s],
    ['core.image.tag="latest"', /\/core\/image\/tag/],
    ['avatars.root="/data"', /\/avatars\/root/],
    ['avatars.root=""', /avatars\.root: the bucket/],
    ['avatars.credentials.existingSecret=""', /avatars\.credentials\.existingSecret: a Secret/],
    [
      'coreAccess.token.existingSecret=""',
      /coreAccess: set token\.existingSecret, or tls\.clientAuth/,
    ],
    ["coreAccess.tls.enabled=true", /coreAccess\.tls\.existingSecret: a Secret/],
    ["coreAccess.tls.clientAuth=true", /coreAccess\.tls\.clientAuth: needs tls\.enabled/],
    ["core.autoscaling.enabled=true", /core\.autoscaling\.prometheusAddress/],
    ["edge.ingress.enabled=true", /edge\.ingress\.hosts/],
    ["access.tenants=[]", /access\.tenants names nobody/],
    ["access.open=true", /access\.open lets everybody in/],
    ["monitoring.serviceMonitor.enabled=true", /operatorKeySecret\.name: a Secret/],
  ];
  for (const [setting, message] of refused) {
    await assert.rejects(render(["required"], [setting]), { message }, setting);
  }
});

test("the schemas refuse what Kubernetes would drop without a word", async () => {
  const objects = await render(["required"]);
  const { container } = workloadOf(objects, "core");
  Object.assign(container.securityContext ?? {}, { readOnlyRootFileSystem: true });
  Object.assign(container.livenessProbe ?? {}, { periodSeconds: "5" });
  const problems = (await problemsOf(objects)).join("\n");
  assert.match(problems, /readOnlyRootFileSystem/);
  assert.match(problems, /periodSeconds/);
});

test("what is configured further goes over what the chart says", async () => {
  const settings = ['core.config={"server":{"queue_size":9},"log_level":"debug"}'];
  const objects = await render(["required"], settings);
  const text = filesOf(objects, workloadOf(objects, "core")).get("config.yaml");
  const { server, log_level } = parse(text ?? "");
  assert.deepEqual([server.queue_size, server.port, log_level], [9, 50_051, "debug"]);
  await assert.rejects(render(["required"], ['core.config="x"']), /\/core\/config/);
});
