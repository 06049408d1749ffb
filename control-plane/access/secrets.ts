// Secrets of the control plane itself, each in a file of the data folder that only its user can read.
import { randomBytes, timingSafeEqual, createHash } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Reads a secret file, or makes it with `create` at the first start: complete and durable, or not at all. */
export async function secretFile(path: string, create: () => string | Promise<string>): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const content = await create();
  await writeSecretFile(path, content);
  return content;
}

/** Writes a file with mode 0600, beside and renamed. */
export async function writeSecretFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(unfinished, 0o600);
  await rename(unfinished, path);
}

/** 256 random bits as text. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Hash under which a random secret is stored. A plain SHA-256 is enough, and quick: slow hashes protect words that
 * people choose, whereas 256 random bits cannot be guessed at any speed.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares in a time that does not depend on where the texts differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}
