// Starts a launcher's bundle in this process, in the place of its own.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import { PoolwrightError } from '../../protocol/errors.js';
import { workerCommand } from './command.js';

/**
 * What is hashed is what is compiled: the file is read once. The bundle's main program takes over and ends the process.
 * All else stays this launcher's: the Node that runs it, and what lies beside its file or in its executable. Throws
 * RELEASE_REFUSED.
 */
export async function startBundle(path: string, sha256: string): Promise<void> {
  const bytes = await readFile(path);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new PoolwrightError(
      'RELEASE_REFUSED',
      `The launcher in ${path} does not have the SHA-256 ${sha256} that was signed; it was not started.`,
    );
  }
  const [node = process.execPath, own = process.execPath] = process.argv;
  process.argv = [node, own, workerCommand];
  // Node's own wrapper of CommonJS. The first line is for shells.
  const text = bytes.toString('utf8').replace(/^#!.*/, '');
  const main = compileFunction(text, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: path,
  });
  const module = { exports: {} };
  Reflect.apply(main, undefined, [module.exports, createRequire(own), module, own, dirname(own)]);
}
