// The run that a worker has, and the one that came while what the worker has given back is still being removed.
import type { Assignment, HeldRun } from '../../protocol/messages.js';
import type { Order } from '../connection/connection.js';
import type { RunSecret } from './pod/assignment-files.js';
import type { PodRun, RunEnd } from './pod-run.js';

/** What the worker says to its runs, and hears of them. */
export interface RunsOwner {
  isLeaving(): boolean;
  /** Whether this controller may act. */
  leads(): boolean;
  secretOf(assignment: Assignment): RunSecret;
  startRun(secret: RunSecret, resumed: boolean): PodRun;
  /** It has a run now. */
  onTaken(): void;
  /** It has none any more. `next`: what it was promised meanwhile, to be assigned if it still may. */
  onFree(next: Assignment | undefined): void;
}

/** A class, like the agent that has it: a pool has thousands. */
export class WorkerRuns {
  readonly #owner: RunsOwner;
  #current: PodRun | undefined;
  #next: Assignment | undefined;

  constructor(owner: RunsOwner) {
    this.#owner = owner;
  }

  get busy(): boolean {
    return this.#current !== undefined;
  }

  /** ULID of the run; empty when there is none. */
  get run(): string {
    return this.#current?.run ?? '';
  }

  /** For the control plane. */
  held(): HeldRun {
    if (this.#next !== undefined) return { run: this.#next.run, attempt: this.#next.attempt, begun: false };
    if (this.#current === undefined) return null;
    const { run, attempt, begun } = this.#current;
    return { run, attempt, begun };
  }

  /** Goes on with what an earlier controller has left. */
  resume(secret: RunSecret): void {
    this.#begin(secret, true);
  }

  /** False for one that is here already. What is neither begun nor put next goes back to the queue, by the next report. */
  assign(assignment: Assignment): boolean {
    const current = this.#current;
    const there = this.#next ?? current;
    if (there?.run === assignment.run && there.attempt === assignment.attempt) return false;
    if (this.#owner.isLeaving()) return true;
    if (current?.givenBack === true && there === current) this.#next = assignment;
    else if (current === undefined && this.#owner.leads())
      this.#begin(this.#owner.secretOf(assignment), false);
    return true;
  }

  /** False when the worker does not have it, or no longer. */
  stop({ run, attempt, kind, reason }: Extract<Order, { type: 'stop' }>): boolean {
    if (this.#current?.run === run && this.#current.attempt === attempt) {
      this.#current.end(kind === 'stale' ? { kind: 'stale' } : { kind: 'stop', reason });
      return true;
    }
    if (this.#next?.run === run && this.#next.attempt === attempt) this.#next = undefined;
    return false;
  }

  end(end: RunEnd): void {
    this.#current?.end(end);
  }

  podChanged(name: string): void {
    const current = this.#current;
    if (current !== undefined && name.startsWith(current.run.toLowerCase())) current.podChanged();
  }

  #begin(secret: RunSecret, resumed: boolean): void {
    const run = this.#owner.startRun(secret, resumed);
    this.#current = run;
    this.#owner.onTaken();
    void run.done.then(() => {
      const next = this.#next;
      this.#current = this.#next = undefined;
      this.#owner.onFree(next);
    });
  }
}
