// What a cluster does about objects that are deleted with others, and the test's has nobody for: the namespace controller,
// and the garbage collector for what belongs to a Worker.
import { group, labels, version } from '../../../protocol/kubernetes/names.js';
import { until } from '../../launcher/support/until.js';
import type { Client } from './client.js';

interface Item {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
}

const core = ['events', 'pods', 'resourcequotas', 'secrets'].map((plural) => `/api/v1/%/${plural}`);
const ours = ['workerpools', 'workers'].map((plural) => `/apis/${group}/${version}/%/${plural}`);

/**
 * Deletes a namespace as its controller does: all that is in it, pods first or everything at once (before Kubernetes 1.33),
 * and then the namespace. Resolves when it is gone.
 */
export async function deleteNamespace(client: Client, name: string, podsFirst: boolean): Promise<void> {
  await client.call('DELETE', `/api/v1/namespaces/${name}`);
  const paths = [...core, ...ours].map((path) => path.replace('%', `namespaces/${name}`));
  const pods = paths.filter((path) => path.endsWith('/pods'));
  for (const collections of podsFirst ? [pods, paths] : [paths]) {
    await until(
      async () => {
        const left = await Promise.all(collections.map((path) => deleteAll(client, path)));
        if (left.every((count) => count === 0)) return true;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return false;
      },
      `the namespace ${name} to be empty`,
      120_000,
    );
  }
  await client.call('PUT', `/api/v1/namespaces/${name}/finalize`, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: { finalizers: [] },
  });
}

/** How many there were. */
async function deleteAll(client: Client, path: string): Promise<number> {
  const { items } = (await client.call('GET', path)) as { items: Item[] };
  if (items.some(({ metadata }) => metadata.deletionTimestamp === undefined))
    await client.call('DELETE', path);
  return items.length;
}

/** Takes an object away with whatever it waits for, as people do with finalizers of a controller that they take for dead. */
export async function removeByForce(client: Client, path: string): Promise<void> {
  await client.call('DELETE', path);
  const patch = { metadata: { finalizers: null } };
  await client.call('PATCH', path, patch, 'application/merge-patch+json').catch((error: unknown) => {
    if (!String(error).includes('"code":404')) throw error;
  });
}

/** Deletes what belongs to a worker that is gone, by its ULID. */
export async function collectOf(client: Client, namespace: string, workerId: string): Promise<void> {
  for (const plural of ['pods', 'secrets']) {
    const query = new URLSearchParams({ labelSelector: `${labels.worker}=${workerId}` });
    await client.call('DELETE', `/api/v1/namespaces/${namespace}/${plural}?${query.toString()}`);
  }
}
