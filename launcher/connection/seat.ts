// A worker's place on a line that it shares with others of its pool: what the line knows of it, and what it asks of the line.
import { createReplayGuard, type ReplayGuard } from '../../protocol/replay.js';
import type { Connection, ConnectionListener, WorkerIdentity, WorkerStatus } from './connection.js';

/** A worker, which is told of its line. */
export interface Member extends ConnectionListener {
  readonly workerId: string;
  /** Asked for when it registers. */
  identity(): Omit<WorkerIdentity, 'worker' | 'updates'>;
  status(): WorkerStatus;
}

/** What a worker on the line asks of it. */
export interface Line {
  readonly clock: () => number;
  start(seat: Seat): void;
  report(seat: Seat): Promise<void>;
  now(): number;
  end(seat: Seat, reason: string): Promise<void>;
}

/** What the line knows of a worker, and the worker's connection. A class, because there are thousands. */
export class Seat implements Connection {
  readonly worker: string;
  readonly guard: ReplayGuard;
  session = '';
  registered = false;
  /** The status that was last sent, to see whether another one is due. */
  said = '';

  constructor(
    readonly line: Line,
    readonly listener: Member,
    pool: string,
  ) {
    this.worker = listener.workerId;
    this.guard = createReplayGuard({ pool, worker: this.worker, clock: line.clock });
  }

  status(): WorkerStatus {
    return this.listener.status();
  }

  start(): void {
    this.line.start(this);
  }

  report(): Promise<void> {
    return this.line.report(this);
  }

  now(): number {
    return this.line.now();
  }

  end(reason: string): Promise<void> {
    return this.line.end(this, reason);
  }
}
