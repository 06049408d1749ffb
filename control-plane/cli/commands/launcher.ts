// poolwright launcher …: other versions of the launcher for machines that take them.
import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseDuration } from '../../../protocol/duration.js';
import { messageOf } from '../../../protocol/errors.js';
import { readSigningKey, releaseKeyText, signRelease } from '../../../protocol/release-signing.js';
import { findRelease, publishRelease, withdrawRelease } from '../api/launcher-releases.js';
import { findPool } from '../api/pools.js';
import { listWorkers, type Worker } from '../api/workers.js';
import { UsageError } from '../exit.js';
import { readInput, writeNew } from '../files.js';
import { act, actWithApi, collect, withExample } from '../invocation.js';
import { packageFile } from '../package-file.js';
import type { Terminal } from '../terminal.js';
import { localTime } from '../times.js';

const run = promisify(execFile);

interface Bundle {
  readonly bytes: Buffer;
  readonly version: string;
}

/** What is about to be signed must at least be a launcher that starts here. */
async function readBundle(file: string): Promise<Bundle> {
  try {
    const bytes = await readFile(file);
    const { stdout } = await run(process.execPath, [file, '--version']);
    return { bytes, version: z.string().min(1).max(128).parse(stdout.trim()) };
  } catch (cause) {
    throw new UsageError(
      `${file} is not a launcher's bundle that can be started: ${messageOf(cause).split('\n')[0] ?? ''}. ` +
        'Expected the file dist/launcher.cjs of a build.',
      { cause },
    );
  }
}

/** The versions that the pool's machines were deployed with, as its workers say. */
function basesOf(workers: readonly Worker[]): string[] {
  return [...new Set(workers.flatMap(({ launcherUpdate }) => launcherUpdate?.base ?? []))].sort();
}

function stateOf({ version, launcherUpdate }: Worker, release: string | undefined): string {
  if (launcherUpdate === null) return 'takes no releases';
  const { base, failedVersion, failure } = launcherUpdate;
  if (version === release) return 'has the release';
  if (failedVersion !== null) return `gave up ${failedVersion}: ${failure ?? ''}`;
  return version === base ? 'as it was deployed' : 'has an earlier release';
}

/** Adds the `launcher` commands. */
export function addLauncherCommands(program: Command, terminal: Terminal): void {
  const launcher = program
    .command('launcher')
    .description('Releases: another version of the launcher for the machines of a pool that take them');

  const key = launcher
    .command('key')
    .description('Make the key that signs releases, or show the public half of one');
  key.option('--out <file>', 'make a key (Ed25519, mode 0600) in this new file');
  key.option('--of <file>', 'show the public half of this one');
  act(
    key,
    terminal,
    { out: z.string().optional(), of: z.string().optional() },
    async ({ options, output }) => {
      const { out, of } = options;
      if ((out === undefined) === (of === undefined))
        throw new UsageError('Expected either --out FILE, for a new key, or --of FILE.');
      const file = out ?? of ?? '';
      if (out !== undefined) {
        const made = generateKeyPairSync('ed25519').privateKey;
        await writeNew(out, made.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
      }
      const publicKey = releaseKeyText(readSigningKey(await readInput(file, 'signing key')));
      output.answer({ key: file, publicKey }, () => [
        `Signing key   ${file}  (keep it where no control plane and no worker is)`,
        `Launchers take releases of this key with   POOLWRIGHT_UPDATE_KEY=${publicKey}`,
      ]);
    },
  );
  withExample(key, 'poolwright launcher key --out release.key');

  const publish = launcher
    .command('publish')
    .description('Sign a launcher on this machine and offer it to the workers of a pool');
  publish
    .argument('<pool>', 'name or id')
    .requiredOption('--key <file>', 'signing key; it does not leave this machine')
    .option('--bundle <file>', "the launcher's bundle (default: that of this installation)")
    .option(
      '--for <version>',
      "deployed version that it is for, may be repeated (default: those of the pool's workers)",
      collect,
    )
    .option('--within <duration>', 'workers begin to take it at random moments within this', '1m');
  actWithApi(
    publish,
    terminal,
    {
      key: z.string(),
      bundle: z.string().optional(),
      for: z.array(z.string()).optional(),
      within: z.string(),
    },
    async ({ client, output, args, options }) => {
      const signingKey = readSigningKey(await readInput(options.key, 'signing key'));
      const within = Math.round(parseDuration(options.within) / 1000);
      const { bytes, version } = await readBundle(options.bundle ?? packageFile('dist', 'launcher.cjs'));
      const { id, name } = await findPool(client, args[0] ?? '');
      const workers = await listWorkers(client, id);
      const bases = options.for ?? basesOf(workers);
      if (bases.length === 0)
        throw new UsageError(
          `No worker of ${name} takes releases now (POOLWRIGHT_UPDATE_KEY), so nobody tells which versions its machines ` +
            'are deployed with. Name them with --for.',
        );
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const signed = signRelease(
        {
          v: 1,
          type: 'launcher-release',
          version,
          sha256,
          size: bytes.length,
          bases,
          released: Date.now(),
        },
        signingKey,
      );
      await publishRelease(client, { ...signed, pool: id, within }, bytes);
      output.answer({ pool: id, version, sha256, bases, within }, () => [
        ...output.fields([
          ['pool', name],
          ['launcher', version],
          ['SHA-256', sha256],
          ['for machines deployed with', bases.join(', ')],
        ]),
        '',
        `Workers take it when they have no run, within ${options.within}. Watch them: poolwright launcher show ${name}`,
      ]);
    },
  );
  withExample(publish, 'poolwright launcher publish production --key release.key --within 10m');

  const show = launcher.command('show').description('Show what the workers of a pool are offered and run');
  show.argument('<pool>', 'name or id');
  actWithApi(show, terminal, {}, async ({ client, output, args }) => {
    const { id } = await findPool(client, args[0] ?? '');
    const [release, workers] = await Promise.all([findRelease(client, id), listWorkers(client, id)]);
    const told = workers.map(({ id: worker, version, launcherUpdate }) => ({
      id: worker,
      version,
      launcherUpdate,
    }));
    output.answer({ release, workers: told }, () => [
      ...(release === null
        ? ['No release is offered.']
        : output.fields([
            ['launcher', release.version],
            ['SHA-256', release.sha256],
            ['for machines deployed with', release.bases.join(', ')],
            ['published', `${localTime(release.publishedAt)} by ${release.publishedBy}`],
          ])),
      '',
      ...output.table(
        ['WORKER', 'LAUNCHER', 'DEPLOYED', 'RELEASE'],
        workers.map((worker) => [
          worker.id,
          worker.version ?? '-',
          worker.launcherUpdate?.base ?? worker.version ?? '-',
          stateOf(worker, release?.version),
        ]),
      ),
    ]);
  });
  withExample(show, 'poolwright launcher show production');

  const withdraw = launcher
    .command('withdraw')
    .description('Offer the release to nobody any more; workers that have it keep it');
  withdraw.argument('<pool>', 'name or id');
  actWithApi(withdraw, terminal, {}, async ({ client, output, args }) => {
    const { id, name } = await findPool(client, args[0] ?? '');
    await withdrawRelease(client, id);
    output.answer({ id, name, withdrawn: true }, () => [`Workers of ${name} are offered no release.`]);
  });
  withExample(withdraw, 'poolwright launcher withdraw production');
}
