// One worker of a pool: its session with the control plane, and the run that it has. Idle, it is an object of the API server
// and a place on its pool's line, nothing else: a pool may have thousands of them.
import type { HeldRun } from '../../protocol/messages.js';
import { messageOf } from '../../protocol/errors.js';
import { places } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec, WorkerStatus } from '../../protocol/kubernetes/resources.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Connection, ConnectionListener, Order } from '../connection/connection.js';
import type { Member } from '../connection/seat.js';
import { variables } from '../settings/variables.js';
import type { EventReason } from './events.js';
import type { PoolCredentials } from './credentials.js';
import { keyOf, type Worker } from './objects.js';
import type { RunSecret } from './pod/assignment-files.js';
import { graceSeconds } from './pod-spec.js';
import type { PoolLines } from './pool-lines.js';
import { startPodRun, type PodRun, type PodRunDependencies } from './pod-run.js';
import type { StatusOf, StatusWriter } from './worker-status.js';
import { workerPath } from './workers.js';

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
  readonly held?: RunSecret | undefined;
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
  const agent = new WorkerAgent(deps, options);
  agent.start();
  return agent;
}

/** A class, unlike its neighbours: ten thousand objects of closures take three kilobytes more each. */
class WorkerAgent implements Agent, Member, ConnectionListener, StatusOf {
  readonly worker: Worker;
  readonly workerId: string;
  /** For the writer of statuses. */
  written: string;
  trouble = noTrouble;
  registered = false;
  readonly #deps: AgentDependencies;
  readonly #options: AgentOptions;
  #credentials: PoolCredentials;
  #wanted: PoolCredentials;
  #connection: Connection;
  #current: PodRun | undefined;
  /** Came while what the worker has given back is still being removed. */
  #next: Assignment | undefined;
  #drained = false;
  #leaving: string | undefined;
  #gone: (() => void) | undefined;
  #left: Promise<void> | undefined;

  constructor(deps: AgentDependencies, options: AgentOptions) {
    this.#deps = deps;
    this.#options = options;
    this.worker = options.worker;
    this.workerId = options.workerId;
    this.written = options.worker.status === undefined ? '' : JSON.stringify(options.worker.status);
    this.#credentials = this.#wanted = options.credentials;
    this.#connection = deps.lines.join(options.credentials, this);
  }

  start(): void {
    if (this.#options.held !== undefined) this.#begin(this.#options.held, true);
    this.#connection.start();
  }

  // ——— what its pool asks of it

  get busy(): boolean {
    return this.#current !== undefined;
  }

  podChanged(name: string): void {
    const current = this.#current;
    if (current !== undefined && name.startsWith(current.run.toLowerCase())) current.podChanged();
  }

  useCredentials(next: PoolCredentials): void {
    this.#wanted = next;
    if (this.#current === undefined && this.#wanted !== this.#credentials) void this.#reconnect();
  }

  leave(reason: string): Promise<void> {
    this.#left ??= new Promise<void>((resolve) => {
      this.#gone = resolve;
      this.#leaving = reason;
      if (this.#current === undefined) void this.#end(reason);
      else void this.#connection.report();
    });
    return this.#left;
  }

  /** Of the Worker object. */
  read(): WorkerStatus {
    return { registered: this.registered, state: this.#stateWord(), currentRunID: this.#current?.run ?? '' };
  }

  // ——— what its line asks of it and tells it

  identity() {
    return { metadata: this.#metadata(), version: this.#deps.version, executor: 'pod' } as const;
  }

  status() {
    return { held: this.#held(), leaving: this.#leaving !== undefined, drained: this.#drained };
  }

  onRegistered(isDrained: boolean): void {
    if (!this.registered)
      this.#note('Normal', 'WorkerRegistered', `The control plane knows it as ${this.workerId}.`);
    this.#noteDrained(isDrained);
    this.registered = true;
    this.trouble = noTrouble;
    this.#changed();
  }

  onDisconnected(reason: string): void {
    if (this.registered && this.#leaving === undefined) {
      const message = `It is out of contact, and tries to connect: ${reason}`;
      this.#note('Warning', 'WorkerDisconnected', message);
    }
    this.registered = false;
    this.trouble = { tries: this.trouble.tries + 1, reason };
    this.#changed();
  }

  onOrder(order: Order): void {
    switch (order.type) {
      case 'assignment':
        this.#assign(order);
        return;
      case 'stop':
        this.#stop(order);
        return;
      case 'drain':
        this.#noteDrained(order.drained);
        this.#changed();
        return;
      case 'leave':
        this.#leaveAsTold(order);
        return;
      case 'release':
        // For launchers that take updates; a controller is updated by its image.
        return;
    }
  }

  #stop({ run, attempt, kind, reason }: Extract<Order, { type: 'stop' }>): void {
    const current = this.#current;
    if (current?.run === run && current.attempt === attempt) {
      current.end(kind === 'stale' ? { kind: 'stale' } : { kind: 'stop', reason });
      return;
    }
    if (this.#next?.run === run && this.#next.attempt === attempt) this.#next = undefined;
    void this.#connection.report();
  }

  /** The object goes, and with it the worker; the pool makes another one. */
  #leaveAsTold({ immediate, reason }: Extract<Order, { type: 'leave' }>): void {
    if (immediate) this.#current?.end({ kind: 'stop', reason });
    const { api, log } = this.#deps;
    api.remove(workerPath(this.worker)).catch((error: unknown) => {
      log.warn(`${keyOf(this.worker)} could not be removed: ${messageOf(error)}`);
    });
  }

  // ——— its runs

  #assign(assignment: Assignment): void {
    const current = this.#current;
    const there = this.#next ?? current;
    if (there?.run === assignment.run && there.attempt === assignment.attempt) return;
    if (current?.givenBack === true && there === current && this.#leaving === undefined) {
      this.#next = assignment;
      void this.#connection.report();
      return;
    }
    if (current !== undefined || this.#leaving !== undefined || !this.#deps.leads()) {
      // Not accepted, it goes back to the queue; the report tells what is going on here.
      void this.#connection.report();
      return;
    }
    this.#note('Normal', 'RunAssigned', `Run ${assignment.run} was assigned.`);
    const { spec, poolName } = this.#options;
    const { privateKey, tokenText, token } = this.#credentials;
    const { pod } = spec();
    this.#begin(
      {
        assignment,
        privateKey,
        token: tokenText,
        authorities: [...token.authorities],
        defaultImage: defaultImageOf(pod),
        metadata: this.#metadata(),
        customBinariesPath: pod.customBinariesPath ?? '',
        // The server still has its own last words to say.
        grace: Math.max(1, graceSeconds(pod) * 0.7) * 1000,
        greeting: `Worker ${this.workerId} of pool ${poolName} (controller ${this.#deps.version}) prepares the run in ${places.workspace}.`,
      },
      false,
    );
    void this.#connection.report();
  }

  #begin(secret: RunSecret, resumed: boolean): void {
    if (resumed)
      this.#note('Normal', 'RunResumed', `Run ${secret.assignment.run} goes on with this controller.`);
    const run = startPodRun(this.#deps, {
      worker: this.worker,
      workerId: this.workerId,
      secret,
      spec: this.#options.spec(),
      resumed,
      now: () => this.#connection.now(),
    });
    this.#current = run;
    this.#changed();
    void run.done.then(() => this.#over());
  }

  async #over(): Promise<void> {
    const assigned = this.#next;
    this.#current = this.#next = undefined;
    if (this.#leaving !== undefined) await this.#end(this.#leaving);
    else if (assigned !== undefined) this.#assign(assigned);
    else if (this.#wanted !== this.#credentials) await this.#reconnect();
    else await this.#connection.report();
    this.#changed();
  }

  #held(): HeldRun {
    if (this.#next !== undefined) return { run: this.#next.run, attempt: this.#next.attempt, begun: false };
    if (this.#current === undefined) return null;
    const { run, attempt, begun } = this.#current;
    return { run, attempt, begun };
  }

  // ——— its line

  async #reconnect(): Promise<void> {
    await this.#connection.end('the pool has other credentials');
    this.#credentials = this.#wanted;
    this.registered = false;
    if (this.#leaving !== undefined) return;
    this.#connection = this.#deps.lines.join(this.#credentials, this);
    this.#connection.start();
  }

  async #end(reason: string): Promise<void> {
    await this.#connection.end(reason);
    this.registered = false;
    this.#gone?.();
  }

  // ——— what is seen of it

  #metadata() {
    const { namespace, name } = this.worker.metadata;
    return { k8s_namespace: namespace, k8s_worker: name, k8s_pool: this.#options.poolName };
  }

  #stateWord(): string {
    if (this.#current !== undefined) return 'BUSY';
    if (!this.registered) return 'OFFLINE';
    return this.#drained ? 'DRAINED' : 'IDLE';
  }

  #changed(): void {
    this.#deps.statuses.changed(this);
    this.#options.onChange();
  }

  #noteDrained(next: boolean): void {
    const was = this.#drained;
    if (next && !was) this.#note('Normal', 'WorkerDrained', 'It takes no further run until it is undrained.');
    if (!next && was) this.#note('Normal', 'WorkerUndrained', 'It takes runs again.');
    this.#drained = next;
  }

  #note(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void {
    this.#deps.recorder.record('Worker', this.worker, type, reason, message);
  }
}

/** Manifests of users hold empty texts for what they do not want. */
function defaultImageOf({ defaultRunnerImage = '' }: WorkerPoolSpec['pod']): string {
  return defaultRunnerImage === '' ? (variables.defaultImage.default ?? '') : defaultRunnerImage;
}
