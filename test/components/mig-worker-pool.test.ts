import type * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MigWorkerPoolArgs } from '../../components/google/arguments.js';
import { MigWorkerPool } from '../../components/mig-worker-pool.js';
import { deploy, unknownOutput, valueOf, type Deployment } from './support/deployment.js';
import { google } from './support/google.js';
import { poolCredentials } from './support/pool-credentials.js';

let credentials: { token: string; privateKey: string };
beforeAll(async () => {
  credentials = await poolCredentials();
});

const least = (): MigWorkerPoolArgs => ({ ...credentials, region: 'europe-west4' });
const make = (args: MigWorkerPoolArgs, preview = false) =>
  deploy(() => new MigWorkerPool('builds', args), google, preview);
const scriptOf = (deployment: Deployment) =>
  (deployment.one('InstanceTemplate').inputs['metadata'] as Record<string, string>)['startup-script'] ?? '';

describe('a pool on Google Cloud', () => {
  it('is made of these resources, all children of the component', async () => {
    const { resources } = await make(least());
    expect(resources.map(({ type, name }) => `${type} ${name}`)).toMatchInlineSnapshot(`
      [
        "workerpools:index:MigWorkerPool builds",
        "gcp:compute/instanceTemplate:InstanceTemplate builds-workers",
        "gcp:compute/network:Network builds-workers",
        "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager builds-workers",
        "gcp:compute/router:Router builds-workers",
        "gcp:compute/routerNat:RouterNat builds-workers",
        "gcp:compute/subnetwork:Subnetwork builds-workers",
        "gcp:secretmanager/secret:Secret builds-credentials",
        "gcp:secretmanager/secretIamMember:SecretIamMember builds-credentials",
        "gcp:secretmanager/secretVersion:SecretVersion builds-credentials",
        "gcp:serviceaccount/account:Account builds-workers",
        "gcp:storage/bucket:Bucket builds-launcher",
        "gcp:storage/bucketIAMMember:BucketIAMMember builds-launcher",
        "gcp:storage/bucketObject:BucketObject builds-launcher",
      ]
    `);
    expect(resources.slice(1).every(({ parent }) => parent === 'builds')).toBe(true);
  });

  it('lets its machines read one secret and one object', async () => {
    const deployment = await make(least());
    expect(deployment.one('SecretIamMember').inputs).toMatchObject({
      secretId: 'projects/project/secrets/builds-credentials',
      role: 'roles/secretmanager.secretAccessor',
    });
    const { role, condition } = deployment.one('BucketIAMMember').inputs as {
      role: string;
      condition: { expression: string };
    };
    expect(role).toBe('roles/storage.objectViewer');
    expect(condition.expression).toMatch(
      /^resource\.name\.startsWith\("projects\/_\/buckets\/builds-launcher-b\/objects\/launcher-"\)$/,
    );
  });

  it('has no public address, no firewall rule that lets something in, and shielded machines', async () => {
    const deployment = await make(least());
    const { inputs } = deployment.one('InstanceTemplate');
    expect(inputs['networkInterfaces']).toEqual([{ subnetwork: 'builds-workers-id' }]);
    expect(inputs['shieldedInstanceConfig']).toMatchObject({ enableSecureBoot: true });
    expect(deployment.resources.map(({ type }) => type).filter((type) => type.includes('irewall'))).toEqual(
      [],
    );
    expect(deployment.one('Bucket').inputs['publicAccessPrevention']).toBe('enforced');
  });

  it('shields machines of the default image only', async () => {
    const deployment = await make({ ...least(), image: 'projects/p/global/images/own' });
    expect(deployment.one('InstanceTemplate').inputs).not.toHaveProperty('shieldedInstanceConfig');
  });

  it.each([
    ['e2-medium', 'pd-balanced'],
    ['c3-standard-4', 'pd-balanced'],
    ['n4-standard-2', 'hyperdisk-balanced'],
    ['c4-standard-2', 'hyperdisk-balanced'],
  ])('gives %s a disk that it takes', async (machineType, diskType) => {
    const typeIn = async (args: MigWorkerPoolArgs) =>
      ((await make(args)).one('InstanceTemplate').inputs['disks'] as { diskType: string }[])[0]?.diskType;
    expect(await typeIn({ ...least(), machineType })).toBe(diskType);
    expect(await typeIn({ ...least(), machineType, google: { diskType: 'pd-ssd' } })).toBe('pd-ssd');
  });

  it('keeps token and key as secrets, out of metadata and of everything else', async () => {
    const deployment = await make(least());
    expect(deployment.one('SecretVersion').inputs['secretData']).toMatch(/^\[secret\] \{"SPACELIFT_TOKEN":/);
    const rest = deployment.resources.filter(({ type }) => !type.endsWith(':SecretVersion'));
    expect(JSON.stringify(rest)).not.toContain(credentials.token.slice(100, 160));
  });

  it('does not move or replace machines without need', async () => {
    const deployment = await make(least());
    const group = deployment.one('RegionInstanceGroupManager');
    expect(group.inputs['updatePolicy']).toMatchObject({
      instanceRedistributionType: 'NONE',
      maxSurgeFixed: 3,
      maxUnavailableFixed: 0,
    });
    expect(group.ignoreChanges).toEqual(['targetSize']);
    expect(deployment.one('InstanceTemplate').ignoreChanges).toEqual(['disks[0].sourceImage']);
    expect(scriptOf(deployment)).toContain('TimeoutStopSec=4500');
    expect(deployment.one('InstanceTemplate').inputs['scheduling']).toMatchObject({
      gracefulShutdown: { enabled: true, maxDuration: { seconds: 3600 } },
    });
  });

  it('tells the launcher where it is, and when a machine is of no use', async () => {
    const script = scriptOf(await make(least()));
    expect(script).toContain("export POOLWRIGHT_CLOUD='google'");
    expect(script).toContain("export POOLWRIGHT_DISCONNECTED_TIMEOUT='30m'");
    expect(script).not.toContain('POOLWRIGHT_HEALTH_PORT');
    const never = scriptOf(await make({ ...least(), replaceDisconnectedAfter: 'never' }));
    expect(never).not.toContain('POOLWRIGHT_DISCONNECTED_TIMEOUT');
    // A machine that is off is made anew by the group itself.
    expect((await make(least())).one('RegionInstanceGroupManager').inputs['instanceLifecyclePolicy']).toEqual(
      {
        forceUpdateOnRepair: 'YES',
        defaultActionOnFailure: 'REPAIR',
      },
    );
  });

  it('has outputs that are no secrets', async () => {
    let pool: MigWorkerPool | undefined;
    await deploy(() => (pool = new MigWorkerPool('builds', least())), google);
    expect(await valueOf(pool!.groupId)).toEqual({
      value: 'projects/project/regions/europe-west4/instanceGroupManagers/builds-workers-m',
      secret: false,
    });
    expect(await valueOf(pool!.credentialsId)).toMatchObject({ secret: false });
  });

  it('gives pull rights on registries and reads a start-up script', async () => {
    const deployment = await make({
      ...least(),
      dockerRegistries: ['projects/p/locations/europe/repositories/r'],
      startupScript: 'projects/p/secrets/startup',
      subnetIds: ['own'],
      spot: true,
    });
    expect(deployment.one('RepositoryIamMember').inputs).toMatchObject({
      project: 'p',
      location: 'europe',
      repository: 'r',
    });
    expect(
      deployment.resources.filter(({ type }) => type.endsWith(':SecretIamMember')).map(({ name }) => name),
    ).toEqual(['builds-credentials', 'builds-startup']);
    expect(deployment.one('InstanceTemplate').inputs['scheduling']).toMatchObject({
      provisioningModel: 'SPOT',
    });
    expect(deployment.resources.map(({ type }) => type)).not.toContain('gcp:compute/network:Network');
  });

  it('is previewed when token, key and region are not known yet', async () => {
    const { resources } = await make(
      {
        token: unknownOutput<string>(),
        privateKey: unknownOutput<string>(),
        region: unknownOutput<string>(),
      },
      true,
    );
    expect(resources.length).toBeGreaterThan(10);
  });

  it('refuses regions without the machine type, and labels that Google does not take, by name', async () => {
    let error: unknown;
    await deploy(() => {
      try {
        new MigWorkerPool('builds', {
          ...least(),
          region: 'europe-north1',
          architecture: 'arm64',
          tags: { Team: 'x' },
        });
      } catch (caught) {
        error = caught;
      }
    }, google);
    const { errors } = error as pulumi.InputPropertiesError;
    expect(errors.map(({ propertyPath }) => propertyPath)).toEqual(['machineType', 'tags.Team']);
    expect(errors[0]?.reason).toContain('not in europe-north1');
  });
});
