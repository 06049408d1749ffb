import { gunzipSync } from 'node:zlib';
import * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Ec2WorkerPoolArgs } from '../../components/aws/arguments.js';
import { heartbeatTimeout } from '../../components/aws/life.js';
import { Ec2WorkerPool } from '../../components/ec2-worker-pool.js';
import { answersIn, aws, states } from './support/aws.js';
import { deploy, unknownOutput, valueOf, type Deployment } from './support/deployment.js';
import { deployElsewhere } from './support/elsewhere.js';
import { poolCredentials } from './support/pool-credentials.js';

let credentials: { token: string; privateKey: string };
beforeAll(async () => {
  credentials = await poolCredentials();
});

const least = (): Ec2WorkerPoolArgs => ({ ...credentials, subnetIds: ['subnet-1'] });
const make = (args: Ec2WorkerPoolArgs, clouds = aws, preview = false) =>
  deploy(() => new Ec2WorkerPool('builds', args), clouds, preview);

function scriptOf(deployment: Deployment): string {
  return gunzipSync(
    Buffer.from(deployment.one('LaunchTemplate').inputs['userData'] as string, 'base64'),
  ).toString();
}
const statementsOf = (deployment: Deployment, policy = 'builds-read') =>
  (
    JSON.parse(
      deployment.resources.find(({ type, name }) => type.endsWith(':RolePolicy') && name === policy)!.inputs[
        'policy'
      ] as string,
    ) as { Statement: { Action: string[]; Resource: unknown }[] }
  ).Statement;

describe('a pool on EC2', () => {
  it('is made of these resources, all children of the component', async () => {
    const { resources } = await make(least());
    expect(resources.map(({ type, name }) => `${type} ${name}`)).toMatchInlineSnapshot(`
      [
        "workerpools:index:Ec2WorkerPool builds",
        "aws:autoscaling/group:Group builds-workers",
        "aws:autoscaling/lifecycleHook:LifecycleHook builds-finish-run",
        "aws:ec2/launchTemplate:LaunchTemplate builds-workers",
        "aws:ec2/securityGroup:SecurityGroup builds-workers",
        "aws:iam/instanceProfile:InstanceProfile builds-workers",
        "aws:iam/role:Role builds-workers",
        "aws:iam/rolePolicy:RolePolicy builds-life",
        "aws:iam/rolePolicy:RolePolicy builds-read",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment builds-AmazonSSMManagedInstanceCore",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment builds-AutoScalingReadOnlyAccess",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment builds-CloudWatchAgentServerPolicy",
        "aws:s3/bucket:Bucket builds-launcher",
        "aws:s3/bucketObjectv2:BucketObjectv2 builds-launcher",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls builds-launcher",
        "aws:s3/bucketPolicy:BucketPolicy builds-launcher",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock builds-launcher",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration builds-launcher",
        "aws:secretsmanager/secret:Secret builds-credentials",
        "aws:secretsmanager/secretVersion:SecretVersion builds-credentials",
      ]
    `);
    expect(resources.slice(1).map(({ parent }) => parent)).toEqual(resources.slice(1).map(() => 'builds'));
  });

  it('has user data that does not tell the operating system of the deployer', async () => {
    const { userData } = (await make(least())).one('LaunchTemplate').inputs as { userData: string };
    expect(Buffer.from(userData, 'base64')[9]).toBe(0xff);
  });

  it('starts only machines that ask for metadata with a token and keep it from containers', async () => {
    const template = (await make(least())).one('LaunchTemplate');
    expect(template.inputs['metadataOptions']).toMatchObject({
      httpTokens: 'required',
      httpPutResponseHopLimit: 1,
    });
    const own = (await make({ ...least(), runsUseInstanceIdentity: true })).one('LaunchTemplate');
    expect(own.inputs['metadataOptions']).toMatchObject({
      httpTokens: 'required',
      httpPutResponseHopLimit: 2,
    });
  });

  it('has encrypted disks, no public address and no inbound rule', async () => {
    const deployment = await make(least());
    const { inputs } = deployment.one('LaunchTemplate');
    expect(inputs['blockDeviceMappings']).toMatchObject([{ ebs: { encrypted: 'true' } }]);
    expect(inputs['networkInterfaces']).toMatchObject([{ associatePublicIpAddress: 'false' }]);
    expect(deployment.one('SecurityGroup').inputs['ingress']).toEqual([]);
  });

  it('may read its own secret and launcher, and nothing else beyond the three managed policies', async () => {
    const deployment = await make(least());
    expect(statementsOf(deployment).map(({ Action, Resource }) => [Action, Resource])).toEqual([
      [
        ['secretsmanager:GetSecretValue'],
        ['arn:aws:secretsmanager:eu-west-1:123456789012:builds-credentials'],
      ],
      [['s3:GetObject'], 'arn:aws:s3:::builds-launcher-b/launcher-*.gz'],
    ]);
    const managed = deployment.resources.filter(({ type }) => type.endsWith(':RolePolicyAttachment'));
    expect(managed.map(({ inputs }) => inputs['policyArn']).sort()).toEqual([
      'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
      'arn:aws:iam::aws:policy/AutoScalingReadOnlyAccess',
      'arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy',
    ]);
  });

  it('waits for the run of a machine that it takes out, and for nothing when that machine is broken', async () => {
    const deployment = await make(least());
    expect(deployment.one('LifecycleHook').inputs).toEqual({
      name: 'poolwright-finish-run',
      autoscalingGroupName: 'builds-workers-g',
      lifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      heartbeatTimeout: 300,
      defaultResult: 'CONTINUE',
    });
    const script = scriptOf(deployment);
    expect(script).toContain("export POOLWRIGHT_CLOUD='aws'");
    expect(script).toContain("export POOLWRIGHT_LIFECYCLE_HOOK='poolwright-finish-run'");
    expect(script).toContain("export POOLWRIGHT_DISCONNECTED_TIMEOUT='30m'");
    // A group waits a hundred times as long at most, and never longer than 48 hours.
    const long = await make({ ...least(), launcher: { runTimeout: '24h' } });
    expect(long.one('LifecycleHook').inputs['heartbeatTimeout']).toBe(867);
    expect(heartbeatTimeout(10_000_000)).toBe(7_200);
  });

  it('lets a machine act on its own group only, and a role of the user have what its owner gives', async () => {
    expect(statementsOf(await make(least()), 'builds-life')).toEqual([
      {
        Effect: 'Allow',
        Action: [
          'autoscaling:SetInstanceProtection',
          'autoscaling:CompleteLifecycleAction',
          'autoscaling:RecordLifecycleActionHeartbeat',
        ],
        Resource: 'arn:aws:autoscaling:eu-west-1:123456789012:builds-workers',
      },
    ]);
    const own = await make({ ...least(), instanceRole: 'own' });
    expect(own.resources.map(({ type }) => type)).not.toContain('aws:iam/rolePolicy:RolePolicy');
    expect(own.one('LifecycleHook').inputs['defaultResult']).toBe('CONTINUE');
  });

  it('has neither hook nor its rights for launchers that know nothing of them', async () => {
    const hosted = await make({ ...least(), launcher: { distribution: 'hosted' } });
    expect(hosted.resources.map(({ name }) => name)).not.toContain('builds-finish-run');
    expect(hosted.resources.map(({ name }) => name)).not.toContain('builds-life');
    expect(scriptOf(hosted)).not.toContain('POOLWRIGHT_CLOUD');
  });

  it('keeps token and key as secrets, out of user data and of everything else', async () => {
    const deployment = await make(least());
    const version = deployment.one('SecretVersion').inputs['secretString'] as string;
    expect(version).toMatch(/^\[secret\] \{"SPACELIFT_TOKEN":/);
    const rest = deployment.resources.filter(({ type }) => !type.endsWith(':SecretVersion'));
    const key = Buffer.from(credentials.privateKey).toString('base64').slice(100, 160);
    for (const text of [JSON.stringify(rest), scriptOf(deployment)]) {
      expect(text).not.toContain(credentials.token.slice(100, 160));
      expect(text).not.toContain(key);
    }
  });

  it('has outputs that are no secrets', async () => {
    let pool: Ec2WorkerPool | undefined;
    await deploy(() => (pool = new Ec2WorkerPool('builds', least())), aws);
    expect(await valueOf(pool!.groupName)).toEqual({ value: 'builds-workers-g', secret: false });
    expect(await valueOf(pool!.credentialsArn)).toMatchObject({ secret: false });
    const { value, secret } = await valueOf(pool!.howToLook);
    expect(secret).toBe(false);
    expect(value).toContain('AutoScalingGroupDetails:id=builds-workers-g');
  });

  it('keeps the image and the size that it has, unless told otherwise', async () => {
    const pinned = await make(least());
    expect(pinned.one('LaunchTemplate').ignoreChanges).toEqual(['imageId']);
    expect(pinned.one('Group').ignoreChanges).toEqual(['desiredCapacity']);
    const moved = await make({ ...least(), imageUpdates: 'latest', size: { min: 0, max: 5, desired: 2 } });
    expect(moved.one('LaunchTemplate').ignoreChanges).toEqual([]);
    expect(moved.one('Group').ignoreChanges).toEqual([]);
    const given = await make({ ...least(), image: 'ami-own' });
    expect(given.one('LaunchTemplate').inputs['imageId']).toBe('ami-own');
    expect(given.one('LaunchTemplate').ignoreChanges).toEqual([]);
  });

  it('exchanges its machines when the credentials change, new ones first', async () => {
    const before = await make(least());
    const after = await make(least(), {
      ...aws,
      states: (type, name, inputs) => ({
        ...states(type, name, inputs),
        ...(type.endsWith(':SecretVersion') ? { versionId: 'version-2' } : {}),
      }),
    });
    expect(scriptOf(after)).not.toBe(scriptOf(before));
    expect(after.one('Group').inputs['instanceRefresh']).toMatchObject({
      strategy: 'Rolling',
      preferences: { minHealthyPercentage: 100, scaleInProtectedInstances: 'Wait' },
    });
  });

  it('uses an existing secret, role and security groups without making any', async () => {
    const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine';
    const deployment = await make({
      credentials: arn,
      instanceRole: 'own',
      securityGroupIds: ['sg-1'],
      subnetIds: ['subnet-1'],
    });
    const types = deployment.resources.map(({ type }) => type.split(':').at(-1));
    for (const type of ['Secret', 'SecretVersion', 'Role', 'RolePolicy', 'SecurityGroup']) {
      expect(types).not.toContain(type);
    }
    expect(scriptOf(deployment)).toContain(`CREDENTIALS='${arn}'`);
  });

  it('runs the hosted launcher or a binary of the user', async () => {
    const hosted = await make({ ...least(), launcher: { distribution: 'hosted' } });
    expect(hosted.resources.map(({ type }) => type)).not.toContain('aws:s3/bucket:Bucket');
    const sha256 = 'ab'.repeat(32);
    const own = await make({
      ...least(),
      launcher: {
        distribution: 'selfHosted',
        binaryLocation: 's3://downloads/bin/launcher',
        binarySha256: sha256,
      },
    });
    expect(scriptOf(own)).toContain(
      "LAUNCHER_URL='https://downloads.s3.eu-west-1.amazonaws.com/bin/launcher'",
    );
    expect(statementsOf(own)[1]?.Resource).toBe('arn:aws:s3:::downloads/bin/launcher');
  });

  it('is previewed when token, key and subnets are not known yet', async () => {
    const { resources } = await make(
      {
        token: unknownOutput<string>(),
        privateKey: unknownOutput<string>(),
        subnetIds: unknownOutput<string[]>(),
      },
      aws,
      true,
    );
    expect(resources.length).toBeGreaterThan(10);
  });

  it.each([
    ['aws', 'ec2.amazonaws.com', 'eu-west-1.console.aws.amazon.com', 's3.eu-west-1.amazonaws.com/'],
    ['aws-cn', 'ec2.amazonaws.com.cn', 'eu-west-1.console.amazonaws.cn', 's3.eu-west-1.amazonaws.com.cn/'],
    [
      'aws-us-gov',
      'ec2.amazonaws.com',
      'eu-west-1.console.amazonaws-us-gov.com',
      's3.eu-west-1.amazonaws.com/',
    ],
  ])('has the names of its partition: %s', async (partition, ec2, console, bucket) => {
    let pool: Ec2WorkerPool | undefined;
    const launcher = {
      distribution: 'selfHosted',
      binaryLocation: 's3://downloads/bin/launcher',
      binarySha256: 'a'.repeat(64),
    };
    const deployment = await deploy(
      () => (pool = new Ec2WorkerPool('builds', { ...least(), image: 'ami-own', launcher })),
      { states, answers: answersIn(partition) },
    );
    expect(JSON.parse(deployment.one('Role').inputs['assumeRolePolicy'] as string)).toMatchObject({
      Statement: [{ Principal: { Service: ec2 } }],
    });
    for (const { inputs } of deployment.resources.filter(({ type }) =>
      type.endsWith(':RolePolicyAttachment'),
    ))
      expect(inputs['policyArn']).toMatch(`arn:${partition}:iam::aws:policy/`);
    expect(statementsOf(deployment)[1]?.Resource).toBe(`arn:${partition}:s3:::downloads/bin/launcher`);
    expect(scriptOf(deployment)).toContain(`LAUNCHER_URL='https://downloads.${bucket}bin/launcher'`);
    expect((await valueOf(pool!.howToLook)).value).toContain(`https://${console}/ec2/home?region=eu-west-1`);
  });

  it.each([
    ['image: is missing, and there is no official Debian image', { partition: 'aws-cn' }, {}],
    ['in the partition aws-us-gov. Give an image', { partition: 'aws-us-gov' }, {}],
    ['provider: is of the partition aws-iso,', { partition: 'aws-iso' }, { image: 'ami-own' }],
    ['t3.small, the default for x86_64, is not offered in eu-west-1', { instanceTypes: [] }, {}],
    ['t4g.small, the default for arm64, is not offered', { instanceTypes: [] }, { architecture: 'arm64' }],
  ])('makes nothing where it cannot be: %s', async (said, answers, more) => {
    const { made, failed, message } = await deployElsewhere('late-fault.mjs', {
      ...credentials,
      answers: JSON.stringify(answers),
      arguments: JSON.stringify(more),
    });
    expect(failed).toBe(true);
    expect(message).toContain(said);
    expect(made).toEqual(['workerpools:index:Ec2WorkerPool']);
  });

  it('asks nobody about a machine type that was chosen', async () => {
    const answers: typeof aws.answers = (token, inputs) =>
      token.includes('getInstanceTypeOfferings') ? { instanceTypes: [] } : aws.answers(token, inputs);
    const deployment = await make({ ...least(), machineType: 'm7g.large' }, { states, answers });
    expect(deployment.one('LaunchTemplate').inputs['instanceType']).toBe('m7g.large');
  });

  it('makes nothing when a key that is known late does not belong to the token', async () => {
    const other = await poolCredentials();
    const { made, failed, message } = await deployElsewhere('late-fault.mjs', {
      token: credentials.token,
      privateKey: other.privateKey,
    });
    expect(failed).toBe(true);
    expect(message).toMatch(/privateKey: The private key does not belong/);
    expect(made).toEqual(['workerpools:index:Ec2WorkerPool']);
  });

  it('makes nothing when what comes late is wrong', async () => {
    const wrong = { dockerRegistries: ['docker.io/runner'], extraCaCertificates: ['nonsense'] };
    const { made, message } = await deployElsewhere('late-fault.mjs', {
      ...credentials,
      outputs: JSON.stringify(wrong),
    });
    expect(message).toMatch(/dockerRegistries\[0\]: expected an ARN|extraCaCertificates\[0\]: /);
    expect(made).toEqual(['workerpools:index:Ec2WorkerPool']);
  });

  it('puts all wrong arguments into one error, before anything is made', async () => {
    const other = await poolCredentials();
    const wrong: Ec2WorkerPoolArgs = {
      token: credentials.token,
      privateKey: other.privateKey,
      size: { min: 3, max: 2 },
      machineType: 't3.micro',
      architecture: 'arm64',
      runAs: 'nobody',
      replaceDisconnectedAfter: '30',
      diskSizeGb: 5,
      tags: { 'a b': 'c' },
      proxy: { http: 'http://user:secret@proxy:3128' },
      extraCaCertificates: ['nonsense'],
      launcher: { runTimeout: '70', workerExtraMounts: ['/a'], environment: { SPACELIFT_TOKEN: 'x' } },
    };
    let error: unknown;
    const made = await deploy(() => {
      try {
        new Ec2WorkerPool('builds', wrong);
      } catch (caught) {
        error = caught;
      }
    }, aws);
    expect(pulumi.InputPropertiesError.isInstance(error)).toBe(true);
    const { errors, message } = error as pulumi.InputPropertiesError;
    expect(errors.map(({ propertyPath }) => propertyPath).sort()).toEqual([
      'architecture',
      'diskSizeGb',
      'extraCaCertificates[0]',
      'launcher.environment.SPACELIFT_TOKEN',
      'launcher.runTimeout',
      'launcher.workerExtraMounts[0]',
      'machineType',
      'privateKey',
      'proxy.http',
      'replaceDisconnectedAfter',
      'runAs',
      'size.max',
      'subnetIds',
      'tags.a b',
    ]);
    expect(message).toContain('INVALID_ARGUMENT');
    expect(message).not.toContain('secret@');
    expect(made.resources.map(({ type }) => type)).toEqual(['workerpools:index:Ec2WorkerPool']);
  });
});
