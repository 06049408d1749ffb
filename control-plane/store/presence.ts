// One connection of its own to PostgreSQL for as long as the process lives. It hears what other processes tell, and
// holds the lock that says whether this process has the database alone or shares it.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { connectionConfig, placeOf } from './postgres.js';

/** Key of the lock; any number that nobody else takes. */
const presenceLock = 7_665_013;
const channel = 'poolwright';

/** Milliseconds. */
const times = { patience: 20_000, reconnect: 1000 } as const;

export interface PresenceOptions {
  readonly url: string;
  /** Whether other processes may work on the same database at the same time. */
  readonly shared: boolean;
  /** Milliseconds to wait for the process before this one to be gone from the database; default 20,000. */
  readonly patience?: number;
  readonly log: Logger;
  readonly onProgress?: (line: string) => void;
}

export interface Presence {
  /** Calls back with every text that a process tells on the channel, its own too. */
  onTold(listener: (text: string) => void): void;
  /** Calls back when the connection stands again: something may have been missed meanwhile. */
  onReturn(listener: () => void): void;
  /** Resolves when the lock was lost to another process: this one must end. */
  readonly lost: Promise<PoolwrightError>;
  close(): Promise<void>;
}

export const presenceChannel = channel;

/** Throws DATABASE_UNUSABLE while another process has the database, unless both share it. */
export async function enterDatabase(options: PresenceOptions): Promise<Presence> {
  const { log } = options;
  const listeners: ((text: string) => void)[] = [];
  const returns: (() => void)[] = [];
  let closed = false;
  let reportLost: (error: PoolwrightError) => void = () => undefined;
  const lost = new Promise<PoolwrightError>((resolve) => {
    reportLost = resolve;
  });
  let client = await connect();

  /** A connection that listens and holds the lock. */
  async function connect(): Promise<pg.Client> {
    const made = new pg.Client(connectionConfig(options.url));
    // Without a listener an error of an idle connection would end the process.
    made.on('error', () => undefined);
    try {
      await made.connect();
      await takeLock(made, options);
      made.on('notification', ({ payload }) => {
        if (payload !== undefined) for (const listener of listeners) listener(payload);
      });
      await made.query(`listen ${channel}`);
    } catch (error) {
      await made.end().catch(() => undefined);
      throw error;
    }
    made.once('end', () => {
      if (!closed) void reconnect();
    });
    return made;
  }

  async function reconnect(): Promise<void> {
    log.warn('the connection that listens to the database broke; connecting again');
    while (!closed) {
      try {
        client = await connect();
        // It may have been closed while this was under way.
        if (isClosed()) await client.end();
        else for (const listener of returns) listener();
        return;
      } catch (error) {
        if (error instanceof PoolwrightError) {
          reportLost(error);
          return;
        }
        log.debug({ reason: messageOf(error) }, 'the database does not answer yet');
        await sleep(times.reconnect);
      }
    }
  }

  const isClosed = () => closed;

  return {
    onTold: (listener) => void listeners.push(listener),
    onReturn: (listener) => void returns.push(listener),
    lost,
    async close() {
      closed = true;
      await client.end();
    },
  };
}

/** Alone: nobody else may hold it. Shared: everybody else must share. PostgreSQL frees it when a process is gone. */
async function takeLock(client: pg.Client, options: PresenceOptions): Promise<void> {
  const lock = options.shared ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock';
  const until = Date.now() + (options.patience ?? times.patience);
  for (let said = false; ; said = true) {
    const { rows } = await client.query<{ taken: boolean }>(
      `select ${lock}(${String(presenceLock)}) as taken`,
    );
    if (rows[0]?.taken === true) return;
    if (Date.now() >= until) throw inUse(options);
    if (!said) options.onProgress?.('waiting for another process to be gone from the database');
    await sleep(500);
  }
}

function inUse({ url, shared }: PresenceOptions): PoolwrightError {
  return new PoolwrightError(
    'DATABASE_UNUSABLE',
    shared
      ? `The database at ${placeOf(url)} is in use by a process that has it alone. End it, and start it again with BROKER_URL and OBJECT_STORE_URL.`
      : `The database at ${placeOf(url)} is in use by another process. Processes that share a database need BROKER_URL and OBJECT_STORE_URL, too; otherwise end the other one.`,
  );
}
