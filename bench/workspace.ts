// A workspace of 100 MB between plan and apply, packed, sealed, opened and unpacked, beside `tar | openssl enc` and back.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveRules, unpackArchive } from '../launcher/run/source/archive.js';
import { keepWorkspace } from '../launcher/run/source/workspace.js';
import { workspaceContext } from '../protocol/sealing/contexts.js';
import { verifyThenOpenFile } from '../protocol/sealing/file.js';
import { elapsed, inTurn } from './clock.js';
import { figure, type Figure } from './figure.js';

const run = '01K3ZB8S7RWD5N4Q2M6T9X0YVE';
const megabytes = 100;

export async function bench(): Promise<Figure[]> {
  const root = await mkdtemp(join(tmpdir(), 'poolwright-bench-'));
  try {
    const pair = generateKeyPairSync('rsa', { modulusLength: 4096 });
    const privateKey = createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const folder = join(root, 'workspace');
    await fill(folder);
    const { signal } = new AbortController();
    const sealed = join(root, 'sealed');
    const opened = join(root, 'opened');
    const key = randomBytes(32).toString('hex');
    const ours = async () => {
      await mkdir(opened);
      const time = await elapsed(async () => {
        await keepWorkspace({ run, folder, file: sealed, privateKey, signal });
        const source = await verifyThenOpenFile(sealed, privateKey, workspaceContext(run));
        await unpackArchive(source, opened, signal, archiveRules.workspace);
      });
      await Promise.all([rm(sealed), rm(opened, { recursive: true })]);
      return megabytes / (time / 1000);
    };
    const enc = `openssl enc -aes-256-ctr -K ${key} -iv ${'0'.repeat(32)}`;
    const reference = async () => {
      await mkdir(opened);
      const time = await elapsed(() => {
        execFileSync('sh', ['-c', `tar -C '${folder}' -c . | ${enc} > '${sealed}'`]);
        execFileSync('sh', ['-c', `${enc} -d < '${sealed}' | tar -C '${opened}' -x`]);
      });
      await Promise.all([rm(sealed), rm(opened, { recursive: true })]);
      return megabytes / (time / 1000);
    };
    const samples = await inTurn(3, ours, reference);
    return [
      figure({
        name: 'workspace, kept and opened',
        unit: 'MB/s',
        samples: samples.ours,
        reference: { what: 'tar | openssl enc, and back', samples: samples.reference },
        goal: { of: 'ratio', atLeast: 0.3 },
        note: 'Ours also compresses what gets smaller (gzip 1) and reads the sealed file twice: nothing that is not authenticated is unpacked.',
      }),
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** As Terraform leaves it: a few large programs, which are hard to compress further, and many small files. */
async function fill(folder: string): Promise<void> {
  await mkdir(join(folder, 'providers'), { recursive: true });
  for (let number = 0; number < 4; number += 1)
    await writeFile(join(folder, 'providers', String(number)), randomBytes(20e6));
  const text = Buffer.from('resource "aws_subnet" "private" {}\n'.repeat(600)).subarray(0, 20_000);
  for (let number = 0; number < 1000; number += 1)
    await writeFile(join(folder, `${String(number)}.tf`), text);
}
