import type { IDeployment, IStatefulSet } from "kubernetes-models/apps/v1";
import type {
  IConfigMap,
  IContainer,
  IPodSpec,
  IProjectedVolumeSource,
} from "kubernetes-models/v1";
import type { KubernetesObject } from "./helm.ts";

/** Labels, and those of an object. */
export type Labels = Readonly<Record<string, string>>;

/** What runs: the core or the edge. */
export interface Workload {
  readonly name: string;
  readonly kind: string;
  /** Of its pods. */
  readonly labels: Labels;
  readonly pod: IPodSpec;
  readonly container: IContainer;
}

/** The objects of a kind. */
export function ofKind<T>(objects: readonly KubernetesObject[], kind: string): T[] {
  return objects.filter((object) => object.kind === kind) as unknown as T[];
}

/** The core or the edge. @throws Error unless it is one workload with one container */
export function workloadOf(objects: readonly KubernetesObject[], component: string): Workload {
  const found = [
    ...ofKind<IStatefulSet>(objects, "StatefulSet"),
    ...ofKind<IDeployment>(objects, "Deployment"),
  ].filter(({ metadata }) => metadata?.labels?.["app.kubernetes.io/component"] === component);
  const [workload] = found;
  const pod = workload?.spec?.template.spec;
  const container = pod?.containers[0];
  if (!workload || !pod || !container || found.length + pod.containers.length > 2) {
    throw new Error(`${component}: not one workload with one container`);
  }
  const { kind, metadata, spec } = workload;
  return {
    name: metadata?.name ?? "",
    kind,
    labels: spec?.template.metadata?.labels ?? {},
    pod,
    container,
  };
}

/** Whether a selector of labels alone selects; an empty one selects all. */
export function selects(wanted: Labels | undefined, labels: Labels): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value);
}

/** Files below /etc/mouthpiece, as the projected volume lays them. Null for what a Secret holds. */
export function filesOf(
  objects: readonly KubernetesObject[],
  { pod, container }: Workload,
): ReadonlyMap<string, string | null> {
  const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === "/etc/mouthpiece");
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const files = new Map<string, string | null>();
  for (const { configMap, secret } of sourcesOf(volume?.projected)) {
    const map = ofKind<IConfigMap>(objects, "ConfigMap").find(
      ({ metadata }) => metadata?.name === configMap?.name,
    );
    for (const [path, text] of Object.entries(map?.data ?? {})) files.set(path, text);
    for (const { path } of secret?.items ?? []) files.set(path, null);
  }
  return files;
}

function sourcesOf(volume: IProjectedVolumeSource | undefined) {
  return volume?.sources ?? [];
}
