// poolwright keys …: the key that never leaves the user, and the request that a pool is made from.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { messageOf } from '../../../protocol/errors.js';
import {
  assertCertificateCurrent,
  assertKeyBelongs,
  keyFingerprint,
  loadPrivateKey,
} from '../../../protocol/keys.js';
import { decodeToken } from '../../../protocol/token.js';
import { UsageError } from '../exit.js';
import { readInput, writeNew } from '../files.js';
import { act, withExample } from '../invocation.js';
import type { Terminal } from '../terminal.js';

/** Adds the `keys` commands. */
export function addKeysCommands(program: Command, terminal: Terminal): void {
  const keys = program.command('keys').description("A pool's private key and certificate signing request");

  const make = keys.command('new').description('Make an RSA-4096 key (mode 0600) and a request for it');
  make.requiredOption('--out <dir>', 'folder for the two files; made when it is not there');
  make.option('--name <name>', 'name of the files, before .key and .csr', 'pool');
  act(make, terminal, { out: z.string(), name: z.string() }, async ({ options, output }) => {
    const { generateKeyAndRequest } = await import('../../../protocol/requests.js');
    if (!/^[\w.-]+$/.test(options.name)) {
      throw new UsageError(
        `--name was "${options.name}"; expected letters, digits, dots, dashes and underscores.`,
      );
    }
    try {
      await mkdir(options.out, { recursive: true });
    } catch (cause) {
      throw new UsageError(`The folder ${options.out} cannot be made: ${messageOf(cause)}.`, { cause });
    }
    const keyFile = join(options.out, `${options.name}.key`);
    const requestFile = join(options.out, `${options.name}.csr`);
    const made = await generateKeyAndRequest();
    await writeNew(keyFile, made.privateKey, 0o600);
    await writeNew(requestFile, made.request, 0o644);
    output.answer({ key: keyFile, csr: requestFile }, () => [
      `Private key                   ${keyFile}  (mode 0600; keep it, it is nowhere else)`,
      `Certificate signing request   ${requestFile}`,
      '',
      'Next: poolwright pool create NAME --csr ' + requestFile,
      `Launchers take the key as     SPACELIFT_POOL_PRIVATE_KEY="$(base64 -w 0 < ${keyFile})"`,
    ]);
  });
  withExample(make, 'poolwright keys new --out keys');

  const check = keys
    .command('check')
    .description('Check that a key can be used and belongs to a request or token');
  check.requiredOption('--key <file>', 'private key (PEM, or base64 of PEM)');
  check.option('--csr <file>', 'certificate signing request that must be of this key');
  check.option('--token <file>', 'worker pool token whose certificate must be of this key');
  const shape = { key: z.string(), csr: z.string().optional(), token: z.string().optional() };
  act(check, terminal, shape, async ({ options, output }) => {
    const key = loadPrivateKey(await readInput(options.key, 'private key'));
    const checked = [`${options.key} is a private key that can be used.`];
    let pool: string | undefined;
    if (options.csr !== undefined) {
      const { readRequest } = await import('../../../protocol/requests.js');
      const { publicKey } = await readRequest(await readInput(options.csr, 'certificate signing request'));
      assertKeyBelongs(key, publicKey);
      checked.push(`${options.csr} is a request of this key.`);
    }
    if (options.token !== undefined) {
      const token = decodeToken(await readInput(options.token, 'token'));
      assertKeyBelongs(key, token.certificate);
      assertCertificateCurrent(token.certificate, Date.now());
      pool = token.pool;
      checked.push(`${options.token} is a token of this key, for pool ${token.pool}.`);
    }
    const fingerprint = keyFingerprint(key).toString('hex');
    output.answer({ fingerprint, pool: pool ?? null, checked }, () => [
      ...checked,
      `SHA-256 of the public key: ${fingerprint}`,
    ]);
  });
  withExample(check, 'poolwright keys check --key keys/pool.key --csr keys/pool.csr');
}
