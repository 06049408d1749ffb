// One worker of a pool: its session with the control plane, and the run that it has. Idle, it is an object of the API server
// and a place on its pool's line, nothing else: a pool may have thousands of them.
import { messageOf } from '../../protocol/errors.js';
import type { WorkerPoolSpec, WorkerStatus } from '../../protocol/kubernetes/resources.js';
import type { Assignment } from '../../protocol/messages.js';
import { sleep } from '../clock.js';
import type { Connection, ConnectionListener, Order } from '../connection/connection.js';
import type { Member } from '../connection/seat.js';
import type { EventReason } from './events.js';
import type { PoolCredentials } from './credentials.js';
import { keyOf, type Worker } from './objects.js';
import type { RunSecret } from './pod/assignment-files.js';
import type { PoolLines } from './pool-lines.js';
import { startPodRun, type PodRun, type PodRunDependencies } from './pod-run.js';
import { WorkerContact, type ContactOwner } from './worker-contact.js';
import { runSecretOf } from './run-secret.js';
import { WorkerRuns, type RunsOwner } from './worker-runs.js';
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

/** Milliseconds for a worker that goes to come into contact first. */
const farewellWithin = 10_000;

export function startAgent(deps: AgentDependencies, options: AgentOptions): Agent {
  const agent = new WorkerAgent(deps, options);
  agent.start();
  return agent;
}

/** A class, unlike its neighbours: ten thousand objects of closures take three kilobytes more each. */
class WorkerAgent implements Agent, Member, ConnectionListener, StatusOf, RunsOwner, ContactOwner {
  readonly worker: Worker;
  readonly workerId: string;
  /** For the writer of statuses. */
  written: string;
  readonly #deps: AgentDependencies;
  readonly #options: AgentOptions;
  #credentials: PoolCredentials;
  #wanted: PoolCredentials;
  #connection: Connection;
  readonly #runs = new WorkerRuns(this);
  readonly #contact = new WorkerContact(this);
  #leaving: string | undefined;
  #gone: (() => void) | undefined;
  #onFound: (() => void) | undefined;
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
    if (this.#options.held !== undefined) this.#runs.resume(this.#options.held);
    this.#connection.start();
  }

  // ——— what its pool asks of it

  get registered(): boolean {
    return this.#contact.registered;
  }

  get trouble() {
    return this.#contact.trouble;
  }

  get busy(): boolean {
    return this.#runs.busy;
  }

  podChanged(name: string): void {
    this.#runs.podChanged(name);
  }

  useCredentials(next: PoolCredentials): void {
    this.#wanted = next;
    if (!this.busy && this.#wanted !== this.#credentials) void this.#reconnect();
  }

  leave(reason: string): Promise<void> {
    this.#left ??= new Promise<void>((resolve) => {
      this.#gone = resolve;
      this.#leaving = reason;
      if (this.busy) void this.#connection.report();
      else void this.#end(reason);
    });
    return this.#left;
  }

  /** Of the Worker object. */
  read(): WorkerStatus {
    return { registered: this.registered, state: this.#stateWord(), currentRunID: this.#runs.run };
  }

  // ——— what its line asks of it and tells it

  identity() {
    return { metadata: this.#metadata(), version: this.#deps.version, executor: 'pod' } as const;
  }

  status() {
    return { held: this.#runs.held(), leaving: this.isLeaving(), drained: this.#contact.drained };
  }

  onRegistered(isDrained: boolean): void {
    this.#contact.found(isDrained);
    this.#onFound?.();
    this.#changed();
  }

  onDisconnected(reason: string): void {
    this.#contact.broke(reason, this.isLeaving());
    this.#changed();
  }

  onOrder(order: Order): void {
    switch (order.type) {
      case 'assignment':
        if (this.#runs.assign(order)) void this.#connection.report();
        return;
      case 'stop':
        if (!this.#runs.stop(order)) void this.#connection.report();
        return;
      case 'drain':
        this.#contact.noteDrained(order.drained);
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

  /** The object goes, and with it the worker; the pool makes another one. */
  #leaveAsTold({ immediate, reason }: Extract<Order, { type: 'leave' }>): void {
    if (immediate) this.#runs.end({ kind: 'stop', reason });
    const { api, log } = this.#deps;
    api.remove(workerPath(this.worker)).catch((error: unknown) => {
      log.warn(`${keyOf(this.worker)} could not be removed: ${messageOf(error)}`);
    });
  }

  // ——— what its runs ask of it and tell it

  isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  leads(): boolean {
    return this.#deps.leads();
  }

  secretOf(assignment: Assignment): RunSecret {
    return runSecretOf({
      assignment,
      credentials: this.#credentials,
      pod: this.#options.spec().pod,
      workerId: this.workerId,
      poolName: this.#options.poolName,
      metadata: this.#metadata(),
      version: this.#deps.version,
    });
  }

  startRun(secret: RunSecret, resumed: boolean): PodRun {
    const { run } = secret.assignment;
    if (resumed) this.note('Normal', 'RunResumed', `Run ${run} goes on with this controller.`);
    else this.note('Normal', 'RunAssigned', `Run ${run} was assigned.`);
    return startPodRun(this.#deps, {
      worker: this.worker,
      workerId: this.workerId,
      secret,
      spec: this.#options.spec(),
      resumed,
      now: () => this.#connection.now(),
    });
  }

  onTaken(): void {
    this.#changed();
  }

  onFree(next: Assignment | undefined): void {
    void this.#goOn(next).then(() => {
      this.#changed();
    });
  }

  async #goOn(next: Assignment | undefined): Promise<void> {
    if (this.#leaving !== undefined) await this.#end(this.#leaving);
    else if (next !== undefined) {
      this.#runs.assign(next);
      void this.#connection.report();
    } else if (this.#wanted !== this.#credentials) await this.#reconnect();
    else await this.#connection.report();
  }

  // ——— its line

  async #reconnect(): Promise<void> {
    await this.#connection.end('the pool has other credentials');
    this.#credentials = this.#wanted;
    this.#contact.registered = false;
    if (this.isLeaving()) return;
    this.#connection = this.#deps.lines.join(this.#credentials, this);
    this.#connection.start();
  }

  async #end(reason: string): Promise<void> {
    // Of a controller that has just begun: without a farewell the control plane would wait for it, as for a lost one.
    if (!this.registered && this.#options.worker.status?.registered === true) {
      const registered = new AbortController();
      this.#onFound = () => {
        registered.abort();
      };
      await sleep(this.#deps.clock, farewellWithin, registered.signal);
    }
    await this.#connection.end(reason);
    this.#contact.registered = false;
    this.#gone?.();
  }

  // ——— what is seen of it

  #metadata() {
    const { namespace, name } = this.worker.metadata;
    return { k8s_namespace: namespace, k8s_worker: name, k8s_pool: this.#options.poolName };
  }

  #stateWord(): string {
    if (this.busy) return 'BUSY';
    if (!this.registered) return 'OFFLINE';
    return this.#contact.drained ? 'DRAINED' : 'IDLE';
  }

  #changed(): void {
    this.#deps.statuses.changed(this);
    this.#options.onChange();
  }

  note(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void {
    this.#deps.recorder.record('Worker', this.worker, type, reason, message);
  }
}
