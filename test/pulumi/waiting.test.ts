// waitForWorkers under the real engine, with a real control plane and a real launcher in the place of a machine.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import {
  copyPackage,
  hasEngineProgram,
  makeWorkplace,
  writeLauncher,
  type Workplace,
} from './support/engine.js';

const there = hasEngineProgram('pulumi', 'waiting for workers under the Pulumi engine');
const hasYaml =
  there && hasEngineProgram('pulumi-language-yaml', 'waiting for workers from a program in YAML');
const patience = 300_000;

describe.skipIf(!there)('waiting for workers under the engine', () => {
  let place: Workplace;
  let project: string;
  let plane: TestPlane;

  const pulumi = (words: readonly string[], input?: string) => place.pulumi(project, words, input);
  const up = ['up', '--yes', '--skip-preview'];
  const setSecret = (path: string, value: string) =>
    pulumi(['config', 'set', '--secret', '--path', path], value);
  const made = (type: string, since = 0) =>
    place.journal
      .entries()
      .slice(since)
      .find((entry) => entry.asked === 'create' && entry.type.endsWith(`:${type}`));
  const markOf = (template: ReturnType<typeof made>) =>
    /SPACELIFT_METADATA_deployment='?([0-9a-f]{12})/.exec(
      JSON.stringify(template?.inputs['metadata']),
    )?.[1] ?? 'none';

  beforeAll(async () => {
    place = await makeWorkplace();
    project = join(place.folder, 'project');
    plane = await startControlPlane(place.folder, { launchers: 0 });
    await copyPackage(project);
    await writeLauncher(project, 'launcher-one');
    await pulumi(['stack', 'init', 'dev']);
    const waitForWorkers = {
      count: 1,
      endpoint: plane.url,
      apiKeyId: plane.key.id,
      workerPool: plane.pool,
    };
    const pool = { cloud: 'google', region: 'europe-west4', waitForWorkers };
    const file = join(project, 'Pulumi.dev.yaml');
    const config = `config: ${JSON.stringify({ 'poolwright:pools': { builds: pool } })}\n`;
    await writeFile(file, `${await readFile(file, 'utf8')}${config}`);
    await setSecret('pools.builds.waitForWorkers.apiKeySecret', plane.key.secret);
    await setSecret('credentials.builds.token', plane.token);
    await setSecret('credentials.builds.privateKey', plane.privateKey);
  }, patience);
  afterAll(async () => {
    await plane.close();
    await place.remove();
  });

  it(
    'previews without waiting',
    async () => {
      await pulumi(['preview']);
      expect(place.journal.entries().filter(({ asked }) => asked !== 'invoke')).toEqual([]);
    },
    patience,
  );

  it(
    'ends when the worker is there that the deployment made',
    async () => {
      let ended = false;
      const deployed = pulumi(up).finally(() => (ended = true));
      const group = until(() => made('RegionInstanceGroupManager'), 'the group', patience / 2);
      await Promise.race([group, deployed]);
      await plane.startLauncher({ SPACELIFT_METADATA_deployment: 'of-another' });
      await plane.idle(1);
      expect(ended).toBe(false);
      await plane.startLauncher({ SPACELIFT_METADATA_deployment: markOf(made('InstanceTemplate')) });
      expect(await deployed).toContain('0 of 1 workers are ready');
      expect(await pulumi(['stack', 'export'])).not.toContain(plane.key.secret);
    },
    patience,
  );

  it(
    'does not change or wait when nothing has changed',
    async () => {
      const said = await pulumi([...up, '--expect-no-changes']);
      expect(said).not.toContain('workers are ready');
    },
    patience,
  );

  it(
    'fails at once when the control plane refuses, and leaves the pool as it is',
    async () => {
      await pulumi(
        ['config', 'set', '--path', 'pools.builds.waitForWorkers.workerPool'],
        '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      );
      const before = place.journal.entries().length;
      await expect(pulumi(up)).rejects.toThrow(
        /waitForWorkers\.workerPool: the control plane has no pool "01ARZ3NDEKTSV4RRFFQ69G5FAV"/,
      );
      const changes = place.journal.entries().slice(before);
      expect(changes.filter(({ asked }) => asked !== 'invoke')).toEqual([]);
    },
    patience,
  );

  it(
    'destroys without waiting',
    async () => {
      await pulumi(['destroy', '--yes', '--skip-preview']);
      const types = (asked: string) =>
        place.journal
          .entries()
          .filter((entry) => entry.asked === asked)
          .map(({ type }) => type)
          .sort();
      // The launcher goes with its bucket.
      const made = types('create').filter((type) => !type.endsWith(':BucketObject'));
      expect(types('delete')).toEqual(made);
    },
    patience,
  );

  it.skipIf(!hasYaml)(
    'ends for a program in another language, too, when its worker is there',
    async () => {
      const folder = join(place.folder, 'consumer');
      await mkdir(join(folder, 'node_modules'), { recursive: true });
      await symlink(project, join(folder, 'node_modules', 'workerpools'));
      await writeFile(join(folder, 'Pulumi.yaml'), yamlProgram(plane));
      const yaml = (words: readonly string[], input?: string) => place.pulumi(folder, words, input);
      await yaml(['stack', 'init', 'dev']);
      const { token, privateKey, key } = plane;
      for (const [name, value] of Object.entries({ token, privateKey, apiKeySecret: key.secret }))
        await yaml(['config', 'set', '--secret', name], value);
      const before = place.journal.entries().length;
      await yaml(['preview']);
      const deployed = yaml(up);
      const group = until(() => made('RegionInstanceGroupManager', before), 'the group', patience / 2);
      await Promise.race([group, deployed]);
      await plane.startLauncher({ SPACELIFT_METADATA_deployment: markOf(made('InstanceTemplate', before)) });
      expect(await deployed).toContain('0 of 1 workers are ready');
      expect(await yaml(['stack', 'export'])).not.toContain(key.secret);
    },
    patience,
  );
});

const yamlProgram = (plane: TestPlane) => `name: waiting
runtime: yaml
packages:
  workerpools: ./node_modules/workerpools/components
config:
  token: { type: string, secret: true }
  privateKey: { type: string, secret: true }
  apiKeySecret: { type: string, secret: true }
resources:
  builds:
    type: workerpools:MigWorkerPool
    properties:
      token: \${token}
      privateKey: \${privateKey}
      region: europe-west4
      waitForWorkers:
        count: 1
        endpoint: ${plane.url}
        apiKeyId: ${plane.key.id}
        apiKeySecret: \${apiKeySecret}
        workerPool: ${plane.pool}
outputs:
  group: \${builds.groupName}
`;
