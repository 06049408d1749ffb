// What the control plane stands on: database, secrets, events, logs and objects, embedded in the data folder or by URL.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { PoolwrightError } from '../protocol/errors.js';
import { packageFile } from './cli/package-file.js';
import { randomIds, systemClock } from './clock.js';
import { createEvents, type Events } from './events.js';
import { openDatabase } from './store/database.js';
import { relayEvents } from './store/event-relay.js';
import { createFileLogStore, type LogStore } from './store/logs.js';
import { createFileObjectStore, type ObjectStore } from './store/objects.js';
import { openPostgres } from './store/postgres.js';
import { enterDatabase } from './store/presence.js';
import type { Database } from './store/schema.js';
import { createDatabaseSecrets, createFileSecrets, type SecretStore } from './store/secrets.js';

/** Where the parts are that do not have to be embedded. */
export interface Places {
  /** PostgreSQL; not given: the embedded database, which one process has alone. */
  readonly databaseUrl?: string | undefined;
  /** Connections to PostgreSQL at most. */
  readonly databaseConnections?: number | undefined;
}

export interface Foundation {
  readonly db: Kysely<Database>;
  readonly secrets: SecretStore;
  readonly events: Events;
  readonly logs: LogStore;
  readonly objects: ObjectStore;
  /** Whether other processes may work on the same database at the same time. */
  readonly shared: boolean;
  /** Whether the database works on several transactions at a time. */
  readonly concurrent: boolean;
  /** Resolves when another process has taken the database: this one must end. */
  readonly lost: Promise<PoolwrightError>;
}

export interface FoundationOptions extends Places {
  readonly folder: string;
  readonly log: Logger;
  readonly onProgress?: (line: string) => void;
  /** What has to be closed, in the order in which it was opened. */
  readonly onClose: (step: () => Promise<void> | void) => void;
}

const never = new Promise<never>(() => undefined);

/** Throws what openDatabase, openPostgres and enterDatabase throw. */
export async function openFoundation(options: FoundationOptions): Promise<Foundation> {
  const { folder, log, onClose } = options;
  const local = createEvents((error) => {
    log.error({ err: error }, 'a listener of events failed');
  });
  const progress = options.onProgress === undefined ? {} : { onProgress: options.onProgress };
  const logs = createFileLogStore(join(folder, 'logs'));
  onClose(() => logs.close());
  const objects = createFileObjectStore(join(folder, 'objects'));
  const now = systemClock.now();
  if (options.databaseUrl === undefined) {
    const template = packageFile('dist', 'database-template.tar.gz');
    const db = await openDatabase({ folder: join(folder, 'database'), template, now, ...progress });
    onClose(() => db.destroy());
    const secrets = createFileSecrets(folder);
    return { db, secrets, events: local, logs, objects, shared: false, concurrent: false, lost: never };
  }
  const url = options.databaseUrl;
  const shared = false;
  const db = await openPostgres({
    url,
    now,
    log,
    ...progress,
    ...(options.databaseConnections === undefined ? {} : { connections: options.databaseConnections }),
  });
  onClose(() => db.destroy());
  const presence = await enterDatabase({ url, shared, log, ...progress });
  onClose(() => presence.close());
  const events = relayEvents(local, { db, presence, process: randomIds.next(), log });
  const secrets = createDatabaseSecrets(db, systemClock);
  return { db, secrets, events, logs, objects, shared, concurrent: true, lost: presence.lost };
}
