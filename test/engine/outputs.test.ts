// Outputs of one stack as variables of another: a real tool, a real launcher, and what of it anybody can read.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { triggerRun } from '../../control-plane/cli/api/runs.js';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { uploadFolder } from '../../control-plane/cli/api/uploads.js';
import { askerFor, type Asker } from '../control-plane/api/support/ask.js';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { available } from '../support/skips.js';
import { temporaryFolder } from '../support/temporary.js';

const toolFolder = fileURLToPath(new URL('../../.tools/bin', import.meta.url));
const tofu = available(
  'outputs of stacks',
  existsSync(join(toolFolder, 'tofu')),
  'no tofu in .tools/bin (npm run test:tools)',
);
const secret = 'correct-horse-battery';
const configuration = `
output "address" { value = "10.0.0.1" }
output "zones" { value = ["a", 1] }
output "password" {
  value     = "${secret}"
  sensitive = true
}`;

interface Output {
  readonly id: string;
  readonly sensitive: boolean;
  readonly available: boolean;
  readonly value: string | null;
}

describe.skipIf(!tofu)('outputs of a stack', { timeout: 120_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  let ask: Asker;
  let from: string;
  let to: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-outputs-'));
    plane = await startControlPlane(folder);
    ask = await askerFor(plane, plane.key);
    const about = { workerPool: plane.pool, autodeploy: true } as const;
    const command = 'echo "$ADDRESS $ZONES $PASSWORD"; printf %s "$PASSWORD" | sha256sum';
    from = (await createStack(plane.client, { name: 'network', tool: 'opentofu', ...about })).id;
    to = (
      await createStack(plane.client, { name: 'app', planCommands: [command], tool: 'commands', ...about })
    ).id;
    const { stackDependencyCreate: dependency } = await ask.data<{ stackDependencyCreate: { id: string } }>(
      'mutation ($input: StackDependencyInput!) { stackDependencyCreate(input: $input) { id } }',
      { input: { stackId: to, dependsOnStackId: from } },
    );
    for (const [outputName, inputName] of [
      ['address', 'ADDRESS'],
      ['zones', 'ZONES'],
      ['password', 'PASSWORD'],
    ]) {
      await ask.data(
        `mutation ($id: ID!, $reference: StackDependencyReferenceInput!) {
          stackDependenciesAddReference(stackDependencyID: $id, reference: $reference) { id outputName inputName type }
        }`,
        { id: dependency.id, reference: { outputName, inputName } },
      );
    }
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Applies the first stack on a launcher with this environment; answers the run of the other one that follows. */
  async function apply(environment: Record<string, string>) {
    const before = await runsOf(to);
    const launcher = await plane.startLauncher({
      PATH: `${toolFolder}:${process.env['PATH'] ?? ''}`,
      ...environment,
    });
    await plane.idle(1);
    const files = await temporaryFolder();
    await writeFile(join(files, 'main.tf'), configuration);
    const { workspace } = await uploadFolder(plane.client, from, files);
    const { id } = await triggerRun(plane.client, { stack: from, workspace });
    const done = await plane.reached(from, id, 'FINISHED', 'FAILED');
    expect(done.failure).toBeNull();
    const follower = await until(
      async () => (await runsOf(to)).find((run) => !before.includes(run)),
      'a run that follows',
    );
    const ended = await plane.reached(to, follower, 'FINISHED', 'FAILED', 'UNCONFIRMED');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    return { log: await logOf(plane, from, id, 'APPLYING'), follower, ended };
  }

  async function runsOf(stack: string): Promise<string[]> {
    const query = 'query ($id: ID!) { stack(id: $id) { runs { id } } }';
    const data = await ask.data<{ stack: { runs: { id: string }[] } }>(query, { id: stack });
    return data.stack.runs.map(({ id }) => id);
  }

  async function outputs(): Promise<Output[]> {
    const query = 'query ($id: ID!) { stack(id: $id) { outputs { id sensitive available value } } }';
    return (await ask.data<{ stack: { outputs: Output[] } }>(query, { id: from })).stack.outputs;
  }

  it('are kept without the sensitive ones, and a run that wants one of these says what to do', async () => {
    const { log, ended } = await apply({});
    expect(log).toMatch(/These outputs are sensitive and stay on the worker: password\./);
    expect(await outputs()).toEqual([
      { id: 'address', sensitive: false, available: true, value: '10.0.0.1' },
      { id: 'password', sensitive: true, available: false, value: null },
      { id: 'zones', sensitive: false, available: true, value: '["a",1]' },
    ]);
    expect(ended).toMatchObject({ state: 'FAILED', failure: { code: 'CONFLICT' } });
    expect(ended.failure?.message).toMatch(
      /PASSWORD: the output password of stack network is sensitive.*SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED=true/,
    );
  });

  it('SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED hands sensitive ones on, sealed for the pool', async () => {
    const { log, follower, ended } = await apply({ SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED: 'true' });
    expect(log).toContain('Kept 3 outputs for stacks that depend on this one.');
    expect(ended.failure).toBeNull();
    const text = await logOf(plane, to, follower, 'PLANNING');
    expect(text).toContain('10.0.0.1 ["a",1] ***\n');
    expect(text).toContain(createHash('sha256').update(secret).digest('hex'));
    expect((await outputs()).find(({ id }) => id === 'password')).toEqual({
      id: 'password',
      sensitive: true,
      available: true,
      value: null,
    });
    for (const name of await readdir(join(folder, 'data'), { recursive: true })) {
      const content = await readFile(join(folder, 'data', name)).catch(() => Buffer.alloc(0));
      expect(content.includes(secret), name).toBe(false);
    }
  });
});
