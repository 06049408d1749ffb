// One side of a move: everything that a control plane keeps, in a data folder or behind URLs, for this process alone.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { pino } from 'pino';
import { writeSecretFile } from '../access/secrets.js';
import { openFoundation, type Places } from '../foundation.js';
import { lockFolder } from '../store/lock.js';
import type { LogStore } from '../store/logs.js';
import type { ObjectStore } from '../store/objects.js';
import type { Database } from '../store/schema.js';
import { createSecretBox, type SecretBox } from '../store/secret-box.js';

export interface Side {
  readonly db: Kysely<Database>;
  readonly logs: LogStore;
  readonly objects: ObjectStore;
  /** Whether the database works on several transactions at a time. */
  readonly concurrent: boolean;
  /** Secrets that this side keeps beside its database: those of a data folder. */
  readonly secretFiles: {
    read(name: string): Promise<string | undefined>;
    write(name: string, value: string): Promise<void>;
  } | null;
  /** Opens secrets that a database has, and closes those that go into this side's. */
  readonly secretBox: SecretBox;
  close(): Promise<void>;
}

/** Secrets that a data folder keeps as files. */
export const secretNames = [
  'administrator.json',
  'authority/authority.pem',
  'authority/signing-key.pem',
  'metrics-token',
  'token-secret',
  'vault-key',
] as const;

/**
 * Opens a side. `alone`: no control plane may be at work on its database meanwhile; a data folder is always had alone. Throws
 * what openFoundation throws, DATA_DIR_UNUSABLE while a control plane uses the folder.
 */
export async function openSide(
  folder: string,
  places: Places,
  options: { readonly presence: 'alone' | 'none'; readonly onProgress: (line: string) => void },
): Promise<Side> {
  const steps: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  try {
    if (places.databaseUrl === undefined || places.objectStoreUrl === undefined) {
      const lock = await lockFolder(folder);
      steps.push(() => lock.release());
    }
    const { db, logs, objects, concurrent } = await openFoundation({
      ...places,
      ...options,
      folder,
      log: pino({ level: 'silent' }),
      onClose: (step) => steps.push(step),
    });
    const secretFiles = places.databaseUrl === undefined ? filesOf(folder) : null;
    return {
      db,
      logs,
      objects,
      concurrent,
      secretFiles,
      secretBox: createSecretBox(places.secretsKey, places.previousSecretsKey),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function filesOf(folder: string): NonNullable<Side['secretFiles']> {
  return {
    async read(name) {
      const file = join(folder, name);
      return existsSync(file) ? readFile(file, 'utf8') : undefined;
    },
    write: (name, value) => writeSecretFile(join(folder, name), value),
  };
}
