// What every rule needs from outside.
import type { KeyObject } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { DownMessage } from '../protocol/messages.js';
import type { Clock, Ids } from './clock.js';
import type { Actor } from './access/audit.js';
import type { Events } from './events.js';
import type { Database } from './store/schema.js';
import type { Traces } from './traces/traces.js';

/** A message as a rule thinks of it; the outbox adds version, id, addressee and times. */
export type DownBody = DownMessage extends infer Message
  ? Message extends DownMessage
    ? Omit<Message, 'v' | 'id' | 'pool' | 'worker' | 'session' | 'issuedAt' | 'expiresAt'>
    : never
  : never;

export interface Addressee {
  readonly pool: string;
  readonly worker: string;
  readonly session: string;
  /** The shared line that the worker is on; null when it has one of its own. */
  readonly line: string | null;
}

/**
 * Signs and publishes. Called after the change is committed; a message that is lost is sent again when the
 * worker registers, or its deadline ends the wait.
 */
export interface Outbox {
  send(to: Addressee, body: DownBody): void;
}

/** Issues the certificates of pools and knows what goes into their tokens. */
export interface PoolAuthority {
  /** Throws INVALID_CSR. */
  issue(request: { csr: string; pool: string; now: number }): Promise<{
    certificate: string;
    serial: string;
    /** PEM (SPKI) of the RSA key in the request. */
    publicKey: string;
  }>;
  /** The token for a pool with this certificate. */
  token(pool: string, certificate: string): string;
}

/** Ends connections that may no longer be: all of a pool but those with the given certificate. */
export interface ConnectionCutter {
  cutPool(pool: string, exceptSerial: string | null): void;
}

/** The last stored line of a run's log, to name it when a worker is lost. */
export interface LastLines {
  /** `within`: the transaction that the caller is in; another connection may not be had before it ends. */
  lastLine(run: string, within?: Tx): Promise<string | null>;
}

/** Where and with which right a worker reaches the worker API for one attempt, or one bundle. */
export interface BulkAccess {
  grant(run: string, attempt: number, worker: string): Promise<{ endpoint: string; token: string }>;
  /** For the bundle of one launcher release. */
  grantRelease(release: string): Promise<{ endpoint: string; token: string }>;
}

/** Seals a value for a pool: `publicKey` PEM, context of protocol/sealing; answers base64. */
export type Seal = (publicKey: string | KeyObject, context: string, text: string) => string;

export interface Context {
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly events: Events;
  readonly outbox: Outbox;
  readonly authority: PoolAuthority;
  readonly connections: ConnectionCutter;
  readonly logs: LastLines;
  readonly bulk: BulkAccess;
  readonly seal: Seal;
  readonly log: Logger;
  /** What is told of the work, to those who follow it. */
  readonly traces: Traces;
  /** In whose name things are changed; not given: the control plane's own. See access/audit.ts. */
  readonly actor?: Actor;
}

/** A transaction: rules that take one are part of a larger change. */
export type Tx = Transaction<Database>;
