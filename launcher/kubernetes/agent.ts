// One worker of a pool: its session with the control plane, and the run that it has. Idle, it is an object of the API server
// and a place on its pool's line, nothing else: a pool may have thousands of them.
import type { HeldRun } from '../../protocol/messages.js';
import { messageOf } from '../../protocol/errors.js';
import { places } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Connection, Order } from '../connection/connection.js';
import { variables } from '../settings/variables.js';
import { paths } from './api.js';
import type { EventReason } from './events.js';
import type { PoolCredentials } from './credentials.js';
import { keyOf, type Worker } from './objects.js';
import type { RunSecret } from './pod/assignment-files.js';
import { graceSeconds } from './pod-spec.js';
import type { PoolLines } from './pool-lines.js';
import { startPodRun, type PodRun, type PodRunDependencies } from './pod-run.js';
import type { StatusOf, StatusWriter } from './worker-status.js';

export interface AgentDependencies extends PodRunDependencies {
  /** Whether this controller may act. */
  readonly leads: () => boolean;
  readonly lines: PoolLines;
  readonly statuses: StatusWriter;
  /** Of the controller. */
  readonly version: string;
}

export interface AgentOptions {
  readonly worker: Worker;
  readonly workerId: string;
  readonly credentials: PoolCredentials;
  /** The pool's, as it is when it is asked. */
  readonly spec: () => WorkerPoolSpec;
  readonly poolName: string;
  /** Its run has ended, or something else that the pool should look at. */
  readonly onChange: () => void;
  /** What an earlier controller has left: the run that the worker holds. */
  readonly held?: RunSecret;
}

export interface Agent {
  readonly workerId: string;
  readonly busy: boolean;
  /** Failed tries to connect since it was last connected, and why the last one failed. */
  readonly trouble: { readonly tries: number; readonly reason: string };
  readonly registered: boolean;
  podChanged(name: string): void;
  /** Connects with others once it has no run. */
  useCredentials(credentials: PoolCredentials): void;
  /** Takes nothing new; ends after its run. Resolves when it is gone in order. May be called twice. */
  leave(reason: string): Promise<void>;
}

const noTrouble = { tries: 0, reason: '' };

export function startAgent(deps: AgentDependencies, options: AgentOptions): Agent {
  const { api, log, recorder } = deps;
  const { worker, workerId } = options;
  let { credentials } = options;
  let wanted = credentials;
  let current: PodRun | undefined;
  let leaving: string | undefined;
  let registered = false;
  let drained = false;
  let trouble = noTrouble;
  let gone: (() => void) | undefined;
  let left: Promise<void> | undefined;
  const status: StatusOf = {
    worker,
    read: () => ({ registered, state: stateWord(), currentRunID: current?.run ?? '' }),
    written: worker.status === undefined ? '' : JSON.stringify(worker.status),
  };
  let connection: Connection = connect();

  function connect(): Connection {
    return deps.lines.join(credentials, {
      worker: workerId,
      identity: () => ({ metadata: metadata(), version: deps.version, executor: 'pod' }),
      status: () => ({ held: held(), leaving: leaving !== undefined, drained }),
      listener: {
        onRegistered(isDrained) {
          if (!registered) note('Normal', 'WorkerRegistered', `The control plane knows it as ${workerId}.`);
          noteDrained(isDrained);
          registered = true;
          trouble = noTrouble;
          changed();
        },
        onDisconnected(reason) {
          if (registered && leaving === undefined)
            note('Warning', 'WorkerDisconnected', `It is out of contact, and tries to connect: ${reason}`);
          registered = false;
          trouble = { tries: trouble.tries + 1, reason };
          changed();
        },
        onOrder,
      },
    });
  }

  function metadata() {
    const { namespace, name } = worker.metadata;
    return { k8s_namespace: namespace, k8s_worker: name, k8s_pool: options.poolName };
  }

  function note(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void {
    recorder.record('Worker', worker, type, reason, message);
  }

  function noteDrained(next: boolean): void {
    if (next && !drained) note('Normal', 'WorkerDrained', 'It takes no further run until it is undrained.');
    if (!next && drained) note('Normal', 'WorkerUndrained', 'It takes runs again.');
    drained = next;
  }

  function held(): HeldRun {
    return current === undefined
      ? null
      : { run: current.run, attempt: current.attempt, begun: current.begun };
  }

  function onOrder(order: Order): void {
    switch (order.type) {
      case 'assignment':
        assign(order);
        return;
      case 'stop':
        if (current?.run === order.run && current.attempt === order.attempt) {
          current.end(order.kind === 'stale' ? { kind: 'stale' } : { kind: 'stop', reason: order.reason });
        } else void connection.report();
        return;
      case 'drain':
        noteDrained(order.drained);
        changed();
        return;
      case 'leave':
        if (order.immediate) current?.end({ kind: 'stop', reason: order.reason });
        // The object goes, and with it the worker; the pool makes another one.
        api
          .remove(`${paths.workers(worker.metadata.namespace)}/${worker.metadata.name}`)
          .catch((error: unknown) => {
            log.warn(`${keyOf(worker)} could not be removed: ${messageOf(error)}`);
          });
        return;
      case 'release':
        // For launchers that take updates; a controller is updated by its image.
        return;
    }
  }

  function assign(assignment: Assignment): void {
    if (current?.run === assignment.run && current.attempt === assignment.attempt) return;
    if (current !== undefined || leaving !== undefined || !deps.leads()) {
      // Not accepted, it goes back to the queue; the report tells what is going on here.
      void connection.report();
      return;
    }
    note('Normal', 'RunAssigned', `Run ${assignment.run} was assigned.`);
    const spec = options.spec();
    begin(
      {
        assignment,
        privateKey: credentials.privateKey,
        token: credentials.tokenText,
        authorities: [...credentials.token.authorities],
        defaultImage: defaultImageOf(spec),
        metadata: metadata(),
        customBinariesPath: spec.pod.customBinariesPath ?? '',
        // The server still has its own last words to say.
        grace: Math.max(1, graceSeconds(spec.pod) * 0.7) * 1000,
        greeting: `Worker ${workerId} of pool ${options.poolName} (controller ${deps.version}) prepares the run in ${places.workspace}.`,
      },
      false,
    );
    void connection.report();
  }

  function begin(secret: RunSecret, resumed: boolean): void {
    if (resumed) note('Normal', 'RunResumed', `Run ${secret.assignment.run} goes on with this controller.`);
    const run = startPodRun(deps, {
      worker,
      workerId,
      secret,
      spec: options.spec(),
      resumed,
      now: () => connection.now(),
    });
    current = run;
    changed();
    void run.done.then(over);
  }

  async function over(): Promise<void> {
    current = undefined;
    if (leaving !== undefined) await end(leaving);
    else if (wanted !== credentials) await reconnect();
    else await connection.report();
    changed();
  }

  async function reconnect(): Promise<void> {
    await connection.end('the pool has other credentials');
    credentials = wanted;
    registered = false;
    if (leaving !== undefined) return;
    connection = connect();
    connection.start();
  }

  async function end(reason: string): Promise<void> {
    await connection.end(reason);
    registered = false;
    gone?.();
  }

  function changed(): void {
    deps.statuses.changed(status);
    options.onChange();
  }

  function stateWord(): string {
    if (current !== undefined) return 'BUSY';
    if (!registered) return 'OFFLINE';
    return drained ? 'DRAINED' : 'IDLE';
  }

  if (options.held !== undefined) begin(options.held, true);
  connection.start();
  return {
    workerId,
    get busy() {
      return current !== undefined;
    },
    get trouble() {
      return trouble;
    },
    get registered() {
      return registered;
    },
    podChanged(name) {
      if (current !== undefined && name.startsWith(current.run.toLowerCase())) current.podChanged();
    },
    useCredentials(next) {
      wanted = next;
      if (current === undefined && wanted !== credentials) void reconnect();
    },
    leave(reason) {
      left ??= new Promise<void>((resolve) => {
        gone = resolve;
        leaving = reason;
        if (current === undefined) void end(reason);
        else void connection.report();
      });
      return left;
    },
  };
}

/** Manifests of users hold empty texts for what they do not want. */
function defaultImageOf({ pod: { defaultRunnerImage = '' } }: WorkerPoolSpec): string {
  return defaultRunnerImage === '' ? (variables.defaultImage.default ?? '') : defaultRunnerImage;
}
