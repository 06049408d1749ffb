// Arguments of `launcher controller`, under the names that users of such controllers know.
import { parseArgs } from 'node:util';
import { parseTimeout } from '../../protocol/duration.js';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { LeaseTimes } from './lease.js';
import type { Patience } from './pod-watch.js';

export interface ControllerArguments {
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Of the controller: lease and API key are there. */
  readonly namespace: string;
  readonly leaderElect: boolean;
  readonly healthAddress: string;
  readonly metrics: {
    /** `0`: none. */
    readonly address: string;
    /** By TLS, for those whom the API server lets `get` them. */
    readonly secure: boolean;
    /** Folder with `tls.crt` and `tls.key`; empty: a certificate of its own. */
    readonly certificates: string;
  };
  readonly launcherImage: string;
  /** Milliseconds. */
  readonly patience: Patience;
  readonly lease: LeaseTimes;
  /** Milliseconds: Secrets of pools are read again, and old pods looked at. */
  readonly syncPeriod: number;
  readonly debug: boolean;
}

type LeaseOption =
  'leader-elect-lease-duration' | 'leader-elect-renew-deadline' | 'leader-elect-retry-period';

export const controllerHelp = `launcher controller – looks after the WorkerPools of a Kubernetes cluster

Usage: launcher controller [options]

  --namespaces NAME                   Look after pools of this namespace; may be given again. Default: all.
  --controller-namespace NAME         Namespace of the controller: lease, own API key.
                                      Default: $CONTROLLER_NAMESPACE, or default.
  --leader-elect                      Work only while no other replica does.
  --leader-elect-lease-duration DURATION
                                      How long the others wait for a leader that does not renew. Default: 15s.
  --leader-elect-renew-deadline DURATION
                                      How long a leader acts after its last renewal. Less than that. Default: 10s.
  --leader-elect-retry-period DURATION
                                      How long between two renewals, or tries to lead. Default: 2s.
  --health-probe-bind-address ADDRESS Where /healthz and /readyz answer. Default: :8081.
  --metrics-bind-address ADDRESS      Where /metrics answers, 0 for nowhere. Default: 0.
  --metrics-secure=false              Plain HTTP, for everyone. Default: HTTPS, for those whom the API server lets get
                                      the non-resource URL /metrics.
  --metrics-cert-path FOLDER          tls.crt and tls.key of /metrics; exchanged files are seen within a minute.
                                      Default: a certificate that it makes at its start.
  --launcher-image IMAGE              Image of init and launcher-grpc in run pods; has this program as "launcher".
                                      Default: $POOLWRIGHT_LAUNCHER_IMAGE.
  --start-timeout DURATION            How long an image may fail to be pulled before its run fails. Default: 2m.
  --begin-notice DURATION             How long a pod may take to start before its run's log says what it waits for.
                                      Default: 30s.
  --begin-timeout DURATION            How long a pod may take to start before its run fails; the control plane waits for
                                      30m. Default: 20m.
  --create-timeout DURATION           How long a pod may fail to be made, for a full quota. Default: 5m.
  --confirm-timeout DURATION          How long a node may take to confirm the end of a pod, beyond the pod's own
                                      grace, before it counts as gone. Default: 15s.
  --sync-period DURATION              How often Secrets of pools are read again, and old pods looked at. Default: 30s.
  --debug                             Say more.

The cluster is that of the service account, or of $KUBECONFIG.
`;

/** Throws INVALID_ARGUMENT. */
export function readControllerArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ControllerArguments {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    throw new PoolwrightError('INVALID_ARGUMENT', `${messageOf(error)} See launcher controller --help.`);
  }
  const launcherImage = values['launcher-image'] ?? environment['POOLWRIGHT_LAUNCHER_IMAGE'] ?? '';
  if (launcherImage === '') {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      "Expected the image of run pods' launcher in --launcher-image or POOLWRIGHT_LAUNCHER_IMAGE, got none.",
    );
  }
  return {
    namespaces: values.namespaces ?? [],
    namespace: values['controller-namespace'] ?? environment['CONTROLLER_NAMESPACE'] ?? 'default',
    leaderElect: values['leader-elect'] ?? false,
    healthAddress: values['health-probe-bind-address'] ?? ':8081',
    metrics: {
      address: values['metrics-bind-address'] ?? '0',
      secure: values['metrics-secure'] ?? true,
      certificates: values['metrics-cert-path'] ?? '',
    },
    launcherImage,
    patience: {
      start: duration('start-timeout', values['start-timeout'] ?? '2m'),
      notice: duration('begin-notice', values['begin-notice'] ?? '30s'),
      begin: duration('begin-timeout', values['begin-timeout'] ?? '20m'),
      create: duration('create-timeout', values['create-timeout'] ?? '5m'),
      confirm: duration('confirm-timeout', values['confirm-timeout'] ?? '15s'),
    },
    lease: leaseOf(values),
    syncPeriod: duration('sync-period', values['sync-period'] ?? '30s'),
    debug: values.debug ?? false,
  };
}

function leaseOf(values: ReturnType<typeof parse>): LeaseTimes {
  const read = (name: LeaseOption, otherwise: string) => duration(name, values[name] ?? otherwise);
  const times = {
    duration: read('leader-elect-lease-duration', '15s'),
    stopAfter: read('leader-elect-renew-deadline', '10s'),
    renewEvery: read('leader-elect-retry-period', '2s'),
  };
  if (times.renewEvery < times.stopAfter && times.stopAfter < times.duration) return times;
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    'Expected --leader-elect-retry-period < --leader-elect-renew-deadline < --leader-elect-lease-duration, got ' +
      `${[times.renewEvery, times.stopAfter, times.duration].map((time) => `${String(time / 1000)}s`).join(', ')}.`,
  );
}

function duration(name: string, text: string): number {
  try {
    return parseTimeout(text);
  } catch (error) {
    throw new PoolwrightError('INVALID_ARGUMENT', `--${name}: ${messageOf(error)}`);
  }
}

const switches = /^--(leader-elect|metrics-secure|debug)=(true|false)$/;

function parse(args: readonly string[]) {
  return parseArgs({
    // As programs in Go take switches: `--debug=true` and `--debug=false`.
    args: args.map((word) =>
      word.replace(switches, (_, name: string, value) => (value === 'true' ? `--${name}` : `--no-${name}`)),
    ),
    allowNegative: true,
    options: {
      namespaces: { type: 'string', multiple: true },
      'controller-namespace': { type: 'string' },
      'leader-elect': { type: 'boolean' },
      'leader-elect-lease-duration': { type: 'string' },
      'leader-elect-renew-deadline': { type: 'string' },
      'leader-elect-retry-period': { type: 'string' },
      'health-probe-bind-address': { type: 'string' },
      'metrics-bind-address': { type: 'string' },
      'metrics-secure': { type: 'boolean' },
      'metrics-cert-path': { type: 'string' },
      'launcher-image': { type: 'string' },
      'start-timeout': { type: 'string' },
      'begin-notice': { type: 'string' },
      'begin-timeout': { type: 'string' },
      'create-timeout': { type: 'string' },
      'confirm-timeout': { type: 'string' },
      'sync-period': { type: 'string' },
      debug: { type: 'boolean' },
    },
  }).values;
}
