// The pool `local`: found or created, with a key that is kept in the data folder.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { loadPrivateKey, assertKeyBelongs } from '../../protocol/keys.js';
import { PoolwrightError } from '../../protocol/errors.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { decodeToken } from '../../protocol/token.js';
import type { ApiClient } from '../cli/api/client.js';
import { createPool, listPools, poolToken, resetPool } from '../cli/api/pools.js';
import type { LocalFolder } from './folder.js';
import type { Narrator } from './narrator.js';

export const poolName = 'local';

export interface LocalKey {
  /** PEM. */
  readonly privateKey: string;
  /** PEM. */
  readonly request: string;
}

async function readKept(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function keep(file: string, text: string): Promise<void> {
  await writeFile(`${file}.tmp`, text, { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

/** The key and request of the data folder, made at the first start. The request is written last, so both or none count. */
export async function openKey(folder: LocalFolder): Promise<LocalKey> {
  const privateKey = await readKept(folder.keyFile);
  const request = await readKept(folder.requestFile);
  if (privateKey !== undefined && request !== undefined) return { privateKey, request };
  const made = await generateKeyAndRequest();
  await keep(folder.keyFile, made.privateKey);
  await keep(folder.requestFile, made.request);
  return made;
}

export interface LocalPool {
  readonly id: string;
  readonly token: string;
}

function belongs(privateKey: string, token: string): boolean {
  try {
    assertKeyBelongs(loadPrivateKey(privateKey), decodeToken(token).certificate);
    return true;
  } catch (error) {
    if (error instanceof PoolwrightError && error.code === 'KEY_MISMATCH') return false;
    throw error;
  }
}

/** Finds or creates the pool and gets its token. A pool of another key is reset: its workers were ours too. */
export async function openPool(client: ApiClient, key: LocalKey, narrator: Narrator): Promise<LocalPool> {
  const found = (await listPools(client)).find(({ name }) => name === poolName);
  if (found === undefined) {
    const { pool, token } = await createPool(client, {
      name: poolName,
      certificateSigningRequest: key.request,
      description: 'Two launchers on this machine, started by poolwright local',
    });
    return { id: pool.id, token };
  }
  const token = await poolToken(client, found.id);
  if (belongs(key.privateKey, token)) return { id: found.id, token };
  narrator.warn(
    `The pool ${poolName} is of another key than the one in the data folder; it gets a new certificate.`,
  );
  const reset = await resetPool(client, { id: found.id, certificateSigningRequest: key.request });
  return { id: found.id, token: reset.token };
}
