// What the containers of a run get of its pool and its worker, as a pure function: the content of the run's Secret.
import { places } from '../../protocol/kubernetes/names.js';
import type { PodSettings } from '../../protocol/kubernetes/pod-settings.js';
import type { Assignment } from '../../protocol/messages.js';
import { variables } from '../settings/variables.js';
import type { PoolCredentials } from './credentials.js';
import type { RunSecret } from './pod/assignment-files.js';
import { graceSeconds } from './pod-spec.js';

export interface RunSecretOptions {
  readonly assignment: Assignment;
  readonly credentials: PoolCredentials;
  readonly pod: PodSettings;
  readonly workerId: string;
  readonly poolName: string;
  /** As the worker has registered. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Of the controller. */
  readonly version: string;
}

export function runSecretOf(options: RunSecretOptions): RunSecret {
  const { assignment, pod, metadata } = options;
  const { privateKey, tokenText, token } = options.credentials;
  return {
    assignment,
    privateKey,
    token: tokenText,
    authorities: [...token.authorities],
    defaultImage: defaultImageOf(pod),
    metadata,
    customBinariesPath: pod.customBinariesPath ?? '',
    // The server still has its own last words to say.
    grace: Math.max(1, graceSeconds(pod) * 0.7) * 1000,
    greeting: `Worker ${options.workerId} of pool ${options.poolName} (controller ${options.version}) prepares the run in ${places.workspace}.`,
  };
}

/** Manifests of users hold empty texts for what they do not want. */
function defaultImageOf({ defaultRunnerImage = '' }: PodSettings): string {
  return defaultRunnerImage === '' ? (variables.defaultImage.default ?? '') : defaultRunnerImage;
}
