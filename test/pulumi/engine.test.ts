// The project at the top level and the plugin for other languages, under the real engine with stand-ins of the clouds:
// `npm run test:engine`. Without the program `pulumi` it says so and ends.
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolCredentials } from '../components/support/pool-credentials.js';
import {
  copyPackage,
  hasEngineProgram,
  makeWorkplace,
  root,
  writeLauncher,
  type Workplace,
} from './support/engine.js';

const there = hasEngineProgram('pulumi', 'components under the Pulumi engine');

const hasYaml =
  there && hasEngineProgram('pulumi-language-yaml', 'the example in YAML under the Pulumi engine');

const stack = `config:
  poolwright:pools:
    europe: { cloud: aws, subnetIds: [subnet-1], size: { min: 1, max: 10 } }
    builds: { cloud: google, region: europe-west4, size: { min: 1, max: 3 } }
    office: { cloud: azure, resourceGroupName: workers, credentials: https://office.vault.azure.net/secrets/pool }
    cluster: { cloud: kubernetes, launcher: { image: 'registry.test/launcher:1' }, networkPolicy: {} }
    lab: { cloud: azure, resourceGroupName: workers }
`;

describe.skipIf(!there)('the rollout project under the engine', () => {
  let place: Workplace;
  let project: string;
  let pair: { token: string; privateKey: string };

  const pulumi = (...words: string[]) => place.pulumi(project, words);
  /** What the clouds were asked to do since the mark, as it came. */
  const inOrder = (mark: number) =>
    place.journal
      .entries()
      .slice(mark)
      .filter(({ asked }) => asked !== 'invoke')
      .map(({ asked, type, name }) => `${asked} ${type.split(':').at(-1) ?? ''} ${name}`);
  const inTurn = (mark: number, ...lines: readonly string[]) => {
    const asked = inOrder(mark);
    expect(asked.filter((line) => lines.includes(line))).toEqual(lines);
  };
  /** The same, sorted. */
  const since = (mark: number) => inOrder(mark).sort();
  const mark = () => place.journal.entries().length;
  const setPair = async (pool: string) => {
    pair = await poolCredentials();
    for (const [part, value] of Object.entries(pair)) {
      const path = `credentials.${pool}.${part}`;
      await place.pulumi(project, ['config', 'set', '--secret', '--path', path], value);
    }
  };

  beforeAll(async () => {
    place = await makeWorkplace();
    project = join(place.folder, 'project');
    await copyPackage(project);
    await writeLauncher(project, 'launcher-one');
    await pulumi('stack', 'init', 'dev');
    const file = join(project, 'Pulumi.dev.yaml');
    await writeFile(file, `${await readFile(file, 'utf8')}${stack}`);
    await setPair('europe');
    await setPair('builds');
    await setPair('cluster');
    await setPair('lab');
  }, 300_000);
  afterAll(() => place.remove());

  it('previews without making anything', async () => {
    const { changeSummary } = JSON.parse(await pulumi('preview', '--json')) as {
      changeSummary: Record<string, number>;
    };
    expect(changeSummary['create']).toBeGreaterThan(40);
    expect(since(0)).toEqual([]);
  }, 300_000);

  it('makes the pools, with token and key only encrypted in the state', async () => {
    await pulumi('up', '--yes', '--skip-preview');
    expect(since(0).filter((line) => !line.startsWith('create '))).toEqual([]);
    expect(since(0)).toEqual(
      expect.arrayContaining([
        'create Group europe-workers',
        'create RegionInstanceGroupManager builds-workers',
        'create VirtualMachineScaleSet office-workers',
        'create WorkerPool cluster',
      ]),
    );
    const state = await pulumi('stack', 'export');
    for (const part of [pair.token, Buffer.from(pair.privateKey).toString('base64')]) {
      expect(state).not.toContain(part.slice(100, 160));
    }
    const outputs = JSON.parse(await pulumi('stack', 'output', '--json')) as { launcherVersion: string };
    expect(outputs.launcherVersion).toBe('launcher-one');
  }, 300_000);

  it('changes nothing when nothing has changed', async () => {
    const before = mark();
    await pulumi('up', '--yes', '--skip-preview', '--expect-no-changes');
    expect(since(before)).toEqual([]);
  }, 300_000);

  it('rolls a new launcher out to all pools, and touches nothing else', async () => {
    const before = mark();
    await writeLauncher(project, 'launcher-two');
    await pulumi('up', '--yes', '--skip-preview');
    expect(since(before)).toMatchInlineSnapshot(`
      [
        "create Blob lab-launcher",
        "create Blob office-launcher",
        "create BucketObject builds-launcher",
        "create BucketObjectv2 europe-launcher",
        "create InstanceTemplate builds-workers",
        "delete InstanceTemplate builds-workers",
        "update Group europe-workers",
        "update LaunchTemplate europe-workers",
        "update RegionInstanceGroupManager builds-workers",
        "update VirtualMachineScaleSet lab-workers",
        "update VirtualMachineScaleSet office-workers",
      ]
    `);
    // A machine that boots at once finds its launcher. The one before stays, and so do the rights on it: machines that
    // were made a moment ago still boot.
    inTurn(before, 'create BucketObjectv2 europe-launcher', 'update Group europe-workers');
    inTurn(
      before,
      'create BucketObject builds-launcher',
      'update RegionInstanceGroupManager builds-workers',
      'delete InstanceTemplate builds-workers',
    );
    inTurn(before, 'create Blob office-launcher', 'update VirtualMachineScaleSet office-workers');
  }, 300_000);

  it.each([
    [
      'europe',
      ['LaunchTemplate', 'Group'],
      [
        'create SecretVersion europe-credentials',
        'delete SecretVersion europe-credentials',
        'update Group europe-workers',
        'update LaunchTemplate europe-workers',
      ],
    ],
    [
      'builds',
      ['InstanceTemplate', 'RegionInstanceGroupManager'],
      [
        'create InstanceTemplate builds-workers',
        'create SecretVersion builds-credentials',
        'delete InstanceTemplate builds-workers',
        'delete SecretVersion builds-credentials',
        'update RegionInstanceGroupManager builds-workers',
      ],
    ],
    [
      'cluster',
      ['WorkerPool'],
      ['create Secret cluster-credentials', 'delete Secret cluster-credentials', 'update WorkerPool cluster'],
    ],
    [
      // Key Vault keeps the versions before by itself.
      'lab',
      ['VirtualMachineScaleSet'],
      ['update Secret lab-credentials', 'update VirtualMachineScaleSet lab-workers'],
    ],
  ])(
    'rolls the pool %s alone when its token and key are new, and the secret is new before any machine is',
    async (pool, machines, changes) => {
      const before = mark();
      await setPair(pool);
      await pulumi('up', '--yes', '--skip-preview');
      expect(since(before)).toEqual(changes);
      // New machines find the new token, and what the old ones were made of stays until the group makes no more of them.
      const asked = inOrder(before).map((line) => line.replace(` ${pool}-`, ' '));
      const secret = asked.find((line) => line.endsWith(' credentials')) ?? '';
      const turn = [
        secret,
        ...machines.map((type) => asked.find((line) => line.includes(` ${type} `)) ?? ''),
      ];
      expect(asked.slice(0, turn.length)).toEqual(turn);
      expect(asked.slice(turn.length).every((line) => line.startsWith('delete '))).toBe(true);
    },
    300_000,
  );

  it('takes everything away again, machines first, while they can still finish their runs', async () => {
    const before = mark();
    await pulumi('destroy', '--yes', '--skip-preview');
    const gone = inOrder(before);
    // What leaves a pool before its machines. Launchers go with their bucket or account. Hook and rights of an EC2 group go with it: asked for by nobody.
    const first = (pool: string, group: string) =>
      gone
        .slice(0, gone.indexOf(`delete ${group} ${pool}-workers`))
        .filter((line) => line.includes(` ${pool}-`));
    expect(first('europe', 'Group')).toEqual([]);
    expect(first('builds', 'RegionInstanceGroupManager')).toEqual([]);
    for (const pool of ['office', 'lab']) {
      expect(first(pool, 'VirtualMachineScaleSet')).toEqual([`delete RoleAssignment ${pool}-life`]);
    }
    expect(gone.filter((line) => / cluster(-|$)/.test(line))[0]).toBe('delete WorkerPool cluster');
    const balance = new Map<string, number>();
    for (const line of since(0)) {
      const [asked, resource = ''] = line.split(/ (.*)/s);
      const more = asked === 'create' ? 1 : asked === 'delete' ? -1 : 0;
      balance.set(resource, (balance.get(resource) ?? 0) + more);
    }
    // What other stacks of the cluster need, too, stays.
    expect([...balance].filter(([, count]) => count !== 0)).toEqual([
      ['Blob lab-launcher', 2],
      ['Blob office-launcher', 2],
      ['BucketObject builds-launcher', 2],
      ['BucketObjectv2 europe-launcher', 2],
      ['CustomResourceDefinitionPatch cluster-workerpools', 1],
      ['CustomResourceDefinitionPatch cluster-workers', 1],
      ['LifecycleHook europe-finish-run', 1],
      ['RolePolicy europe-life', 1],
    ]);
  }, 300_000);

  it('reads the schema of the package', async () => {
    const text = await pulumi('package', 'get-schema', join(project, 'components'));
    const golden = await readFile(join(root, 'components', 'schema.json'), 'utf8');
    const names = (schema: string) => {
      const { resources, types } = JSON.parse(schema) as Record<'resources' | 'types', object>;
      return Object.keys({ ...resources, ...types }).sort();
    };
    expect(names(text)).toEqual(names(golden));
  }, 300_000);

  it.skipIf(!hasYaml)(
    'makes the pool of the example in YAML',
    async () => {
      const folder = join(place.folder, 'consumer');
      await cp(join(root, 'examples', 'yaml'), folder, { recursive: true });
      await mkdir(join(folder, 'node_modules'));
      await symlink(project, join(folder, 'node_modules', 'workerpools'));
      const yaml = (words: string[], input?: string) => place.pulumi(folder, words, input);
      await yaml(['stack', 'init', 'dev']);
      for (const [part, value] of Object.entries(await poolCredentials())) {
        await yaml(['config', 'set', '--secret', part], value);
      }
      const before = mark();
      await yaml(['up', '--yes', '--skip-preview']);
      expect(since(before)).toContain('create Group builds-workers');
      expect(JSON.parse(await yaml(['stack', 'output', '--json']))).toMatchObject({
        group: 'builds-workers-g',
      });
      await yaml(['up', '--yes', '--skip-preview', '--expect-no-changes']);
      await yaml(['destroy', '--yes', '--skip-preview']);
    },
    300_000,
  );
});
