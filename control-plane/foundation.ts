// What the control plane stands on: database, secrets, events, logs and objects, embedded in the data folder or by URL.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { PoolwrightError } from '../protocol/errors.js';
import { packageFile } from './cli/package-file.js';
import { randomIds, systemClock } from './clock.js';
import { createEvents, type Events } from './events.js';
import { openDatabase } from './store/database.js';
import { createFileLogStore, type LogStore } from './store/logs.js';
import { createFileObjectStore, type ObjectStore } from './store/objects.js';
import { openObjectPlaces } from './store/object-places.js';
import type { Database } from './store/schema.js';
import { createSharedLogs } from './store/shared-logs.js';
import { createSecretBox } from './store/secret-box.js';
import { createDatabaseSecrets, createFileSecrets, type SecretStore } from './store/secrets.js';

/** Where the parts are that do not have to be embedded. */
export interface Places {
  /** PostgreSQL; not given: the embedded database, which one process has alone. */
  readonly databaseUrl?: string | undefined;
  /** Connections to PostgreSQL at most. */
  readonly databaseConnections?: number | undefined;
  /** What the control plane's own secrets are sealed with in that database; not given: they stand there in clear. */
  readonly secretsKey?: string | undefined;
  /** The key before that one, as long as something may be sealed with it. */
  readonly previousSecretsKey?: string | undefined;
  /** MQTT broker; not given: the embedded one. Files: PEM, its authorities, and who the control plane is there. */
  readonly brokerUrl?: string | undefined;
  readonly brokerCaFile?: string | undefined;
  readonly brokerCertFile?: string | undefined;
  readonly brokerKeyFile?: string | undefined;
  /** Workspaces, uploads and logs; not given: in the data folder. */
  readonly objectStoreUrl?: string | undefined;
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
  /** Default: with other control planes, as far as the places allow it. Alone, or only to read: for a backup. */
  readonly presence?: 'alone' | 'none';
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
  const now = systemClock.now();
  if (options.databaseUrl === undefined) {
    const template = packageFile('dist', 'database-template.tar.br');
    const db = await openDatabase({ folder: join(folder, 'database'), template, now, ...progress });
    onClose(() => db.destroy());
    const stores = await openStores(options, db);
    const secrets = createFileSecrets(folder);
    return { db, secrets, events: local, ...stores, shared: false, concurrent: false, lost: never };
  }
  const url = options.databaseUrl;
  // Only here, like all that speaks to PostgreSQL: an embedded start does not load its client.
  const { openPostgres } = await import('./store/postgres.js');
  const shared =
    options.presence === undefined && options.brokerUrl !== undefined && options.objectStoreUrl !== undefined;
  const db = await openPostgres({
    url,
    now,
    log,
    ...progress,
    ...(options.databaseConnections === undefined ? {} : { connections: options.databaseConnections }),
  });
  onClose(() => db.destroy());
  const standing = {
    db,
    secrets: createDatabaseSecrets(
      db,
      systemClock,
      createSecretBox(options.secretsKey, options.previousSecretsKey),
    ),
    ...(await openStores(options, db)),
    shared,
    concurrent: true,
  };
  if (options.presence === 'none') return { ...standing, events: local, lost: never };
  const { enterDatabase } = await import('./store/presence.js');
  const { relayEvents } = await import('./store/event-relay.js');
  const presence = await enterDatabase({ url, shared, log, ...progress });
  onClose(() => presence.close());
  const events = relayEvents(local, { db, presence, process: randomIds.next(), log });
  return { ...standing, events, lost: presence.lost };
}

/** Logs and objects as files of the data folder; or elsewhere, with the latest records of logs in the database. */
async function openStores(
  { folder, log, objectStoreUrl, onClose }: FoundationOptions,
  db: Kysely<Database>,
): Promise<Pick<Foundation, 'logs' | 'objects'>> {
  if (objectStoreUrl === undefined) {
    const logs = createFileLogStore(join(folder, 'logs'));
    onClose(() => logs.close());
    return { logs, objects: createFileObjectStore(join(folder, 'objects')) };
  }
  const places = await openObjectPlaces(objectStoreUrl, process.env);
  const logs = createSharedLogs({
    db,
    objects: places.logs,
    clock: systemClock,
    ids: randomIds,
    onFault: (error) => {
      log.error(
        { err: error },
        'log records could not be moved to the object store; they stay in the database',
      );
    },
  });
  onClose(() => logs.close());
  return { logs, objects: places.objects };
}
