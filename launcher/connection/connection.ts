// What the launcher asks of its line to the control plane, whatever carries it.
import type { DownMessage, HeldRun, UpMessage } from '../../protocol/messages.js';

type RegisterMessage = Extract<UpMessage, { type: 'register' }>;

/** What `register` and `heartbeat` say of the worker. Read whenever one of them is sent. */
export interface WorkerStatus {
  readonly held: HeldRun;
  readonly leaving: boolean;
  /** Why no run can be taken now; null or not given when one can. */
  readonly unavailable?: string | null;
  /** As the control plane said last; only `register` tells it. */
  readonly drained: boolean;
}

/** Who registers. */
export interface WorkerIdentity {
  /** ULID, new for each launcher process. */
  readonly worker: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Version of the launcher. */
  readonly version: string;
  readonly executor: 'docker' | 'host' | 'pod';
  /** Of a launcher that takes releases; as `register` has it. */
  readonly updates?: RegisterMessage['updates'];
}

/** What the control plane says besides what is about `register`; checked, and each only once. */
export type Order = Exclude<DownMessage, { type: 'registered' | 'unregistered' }>;

export interface ConnectionListener {
  /** After each connect, once the control plane has answered. */
  onRegistered(drained: boolean): void;
  /** A line broke, or could not be made. The reason is a sentence for people, without its full stop. */
  onDisconnected(reason: string): void;
  onOrder(order: Order): void;
}

export interface Connection {
  /** Connects, and again whenever the line breaks, until `end`. */
  start(): void;
  /** Tells the control plane the status now. Resolves when it is said, or when there is no line. Never throws. */
  report(): Promise<void>;
  /** Unix milliseconds by the control plane's clock; by this machine's before the first answer. */
  now(): number;
  /** Says `gone` in order and closes. Resolves within about a second. */
  end(reason: string): Promise<void>;
}
