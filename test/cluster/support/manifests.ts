// Manifests that people know from the guide to this kind of pool, as they stand there, and kubectl's way to give them.
import { definitions } from '../../../protocol/kubernetes/definitions.js';
import { until } from '../../launcher/support/until.js';
import type { ApiServer } from './api-server.js';

export const json = (...items: readonly object[]) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

/** Installs the resource definitions and waits until the API server serves them. */
export async function installDefinitions(server: ApiServer): Promise<void> {
  await server.kubectl(['apply', '--server-side', '-f', '-'], json(...definitions()));
  await until(
    () =>
      server.kubectl(['get', 'workerpools,workers', '-A']).then(
        () => true,
        () => undefined,
      ),
    'the custom resources to be served',
    30_000,
  );
}
