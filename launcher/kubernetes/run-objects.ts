// The Secret and the pod of one assignment at the API server: made, looked at, kept or removed.
import { annotations, apiVersion, finalizer } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { isConflict, paths, type KubeApi } from './api.js';
import type { Collection } from './collections.js';
import { ownerReference, type Pod, type Secret, type Worker } from './objects.js';
import { writeRunSecret, type LastWord, type RunSecret } from './pod/assignment-files.js';
import { hasSidecar, type PodEnd } from './pod-end.js';
import { isAllowedImage, podName, podOf, runLabels } from './pod-spec.js';
import { endedByNode, isDone, keepsFailed, keepsSuccessful } from './retention.js';

export interface RunObjectsOptions {
  readonly api: KubeApi;
  /** In memory. */
  readonly pods: Pick<Collection<Pod>, 'get' | 'note'>;
  readonly worker: Worker;
  readonly workerId: string;
  readonly secret: RunSecret;
  readonly spec: WorkerPoolSpec;
  /** Image of `init` and `launcher-grpc` where the pool names none. */
  readonly launcherImage: string;
}

export interface RunObjects {
  /** Of both. */
  readonly name: string;
  /** What keeps the run from having a pod, by the pool's own rules. */
  readonly refusal: () => PodEnd | undefined;
  /** No error when it is there. */
  readonly makeSecret: () => Promise<void>;
  /** No error when it is there. Answers whether it was made now. */
  readonly makePod: () => Promise<boolean>;
  readonly pod: () => Promise<Pod | undefined>;
  readonly removePod: () => Promise<void>;
  /** Keeps the pod or not, as the pool has it; removes the Secret. */
  readonly cleanUp: (outcome: LastWord['outcome']) => Promise<void>;
}

export function runObjects(options: RunObjectsOptions): RunObjects {
  const { api, pods, worker, workerId, secret, spec } = options;
  const { assignment } = secret;
  const { run, attempt, stage, pool } = assignment;
  const { namespace } = worker.metadata;
  const name = podName(run, stage, attempt);
  const podPath = `${paths.pods(namespace)}/${name}`;
  const secretPath = `${paths.secrets(namespace)}/${name}`;
  const { runnerImage: asked } = assignment;
  const runnerImage = asked === null || asked === '' ? secret.defaultImage : asked;
  const allowed = spec.allowedRunnerImageHosts;

  const pod = async () => pods.get(namespace, name) ?? (await api.get<Pod>(podPath));

  return {
    name,
    refusal() {
      if (isAllowedImage(runnerImage, allowed)) return undefined;
      return {
        code: 'IMAGE_UNAVAILABLE',
        text:
          `the pool allows runner images of ${allowed?.join(', ') ?? ''} only, and the run asks for ${runnerImage} ` +
          '(spec.allowedRunnerImageHosts of the WorkerPool)',
        elsewhere: false,
      };
    },
    async makeSecret() {
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name,
          namespace,
          labels: runLabels({ run, attempt, pool, workerId }),
          ownerReferences: [ownerReference('Worker', apiVersion, worker)],
          // A pod cannot start without it, and a controller that comes later knows of the run by it alone.
          finalizers: [finalizer],
        },
        immutable: true,
        type: 'Opaque',
        stringData: writeRunSecret(secret),
      };
      await unlessThere(api.create(paths.secrets(namespace), body));
    },
    async makePod() {
      const { launcherImage = '' } = spec.pod;
      const body = podOf({
        run,
        attempt,
        stage,
        pool,
        workerId,
        worker,
        settings: spec.pod,
        runnerImage,
        launcherImage: launcherImage === '' ? options.launcherImage : launcherImage,
        secretName: name,
      });
      const made = await unlessThere(api.create<Pod>(paths.pods(namespace), body));
      if (made !== undefined) pods.note(made);
      return made !== undefined;
    },
    pod,
    async removePod() {
      await api.remove(podPath);
    },
    async cleanUp(outcome) {
      const there = await pod();
      if (there !== undefined) {
        const kept =
          outcome === 'finished' ? keepsSuccessful(spec) : outcome === 'failed' && keepsFailed(spec);
        await api.patch(podPath, {
          metadata: {
            annotations: { [annotations.outcome]: outcome },
            finalizers: (there.metadata.finalizers ?? []).filter((other) => other !== finalizer),
          },
          // What runs beside the run ends with it. Without that, the containers end by themselves, and the pod as they did.
          ...(kept && !isDone(there) && hasSidecar(there) ? endedByNode : {}),
        });
        if (!kept && there.metadata.deletionTimestamp === undefined) await api.remove(podPath);
      }
      const left = await api.removeFinalizer<Secret>(secretPath, finalizer);
      if (left !== undefined && left.metadata.deletionTimestamp === undefined) await api.remove(secretPath);
    },
  };
}

async function unlessThere<Answer>(creation: Promise<Answer>): Promise<Answer | undefined> {
  return creation.catch((error: unknown) => {
    if (isConflict(error, 'AlreadyExists')) return undefined;
    throw error;
  });
}
