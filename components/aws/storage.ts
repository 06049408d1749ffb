// Where a pool on EC2 keeps its launcher and its credentials.
import * as pulumi from '@pulumi/pulumi';
import { Bucket } from '@pulumi/aws/s3/bucket.js';
import { BucketObjectv2 } from '@pulumi/aws/s3/bucketObjectv2.js';
import { BucketOwnershipControls } from '@pulumi/aws/s3/bucketOwnershipControls.js';
import { BucketPolicy } from '@pulumi/aws/s3/bucketPolicy.js';
import { BucketPublicAccessBlock } from '@pulumi/aws/s3/bucketPublicAccessBlock.js';
import { BucketServerSideEncryptionConfiguration } from '@pulumi/aws/s3/bucketServerSideEncryptionConfiguration.js';
import { Secret } from '@pulumi/aws/secretsmanager/secret.js';
import { SecretVersion } from '@pulumi/aws/secretsmanager/secretVersion.js';
import { afterOf, type ChildOptions, type PoolPlan } from '../plan.js';
import type { Ec2WorkerPoolArgs } from './arguments.js';
import type { Place } from './place.js';

export interface LauncherObject {
  readonly url: pulumi.Output<string>;
  /** ARN of what machines may read, those of the version before as well: a pattern. */
  readonly readable: pulumi.Output<string>;
  readonly sha256: pulumi.Input<string>;
  /** Must be there before a machine starts. */
  readonly ready: pulumi.Resource[];
}

/** Null for the hosted launcher, which is fetched from its publisher. */
export function launcherObjectOf(
  name: string,
  args: Ec2WorkerPoolArgs,
  { artifact, machine }: PoolPlan,
  place: pulumi.Output<Place>,
  options: ChildOptions,
): LauncherObject | null {
  const { binaryLocation, binarySha256, distribution } = args.launcher ?? {};
  if (distribution === 'hosted') return null;
  if (artifact === null) {
    const addresses = pulumi.all([binaryLocation, place]).apply(([location, { partition, region }]) => {
      const { bucket, key } = parseLocation(location ?? '');
      return {
        url: `https://${bucket}.s3.${region}.${partition.domain}/${key}`,
        readable: `arn:${partition.name}:s3:::${bucket}/${key}`,
      };
    });
    return {
      url: addresses.url,
      readable: addresses.readable,
      sha256: binarySha256 ?? '',
      ready: [],
    };
  }
  const tags = args.tags === undefined ? {} : { tags: args.tags };
  const inside = afterOf(options);
  const bucket = new Bucket(`${name}-launcher`, { forceDestroy: true, ...tags }, options);
  const inBucket = { bucket: bucket.bucket };
  const closed = new BucketPublicAccessBlock(
    `${name}-launcher`,
    {
      ...inBucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    inside,
  );
  const owned = new BucketOwnershipControls(
    `${name}-launcher`,
    { ...inBucket, rule: { objectOwnership: 'BucketOwnerEnforced' } },
    inside,
  );
  const kmsKey = args.aws?.kmsKeyArn;
  const encrypted = new BucketServerSideEncryptionConfiguration(
    `${name}-launcher`,
    {
      ...inBucket,
      rules: [
        {
          applyServerSideEncryptionByDefault:
            kmsKey === undefined
              ? { sseAlgorithm: 'AES256' }
              : { sseAlgorithm: 'aws:kms', kmsMasterKeyId: kmsKey },
        },
      ],
    },
    inside,
  );
  const policy = new BucketPolicy(
    `${name}-launcher`,
    {
      ...inBucket,
      policy: bucket.arn.apply((arn) =>
        JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Deny',
              Principal: '*',
              Action: 's3:*',
              Resource: [arn, `${arn}/*`],
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            },
          ],
        }),
      ),
    },
    { ...inside, dependsOn: [closed] },
  );
  // A new version is a new object, and the one before stays until the bucket goes: a machine of the version before may
  // boot while the new one rolls out, and the deployment does not wait for the end of that.
  const key = `launcher-${machine.architecture}-${artifact.sha256}.gz`;
  const object = new BucketObjectv2(
    `${name}-launcher`,
    {
      ...inBucket,
      key,
      source: new pulumi.asset.FileAsset(artifact.path),
      sourceHash: artifact.sha256,
    },
    { ...inside, dependsOn: [encrypted, owned], retainOnDelete: true },
  );
  return {
    url: bucket.bucketRegionalDomainName.apply((host) => `https://${host}/${key}`),
    readable: bucket.arn.apply((arn) => `${arn}/launcher-*.gz`),
    sha256: artifact.sha256,
    ready: [object, policy],
  };
}

export interface Credentials {
  readonly arn: pulumi.Output<string>;
  /** Changes with the secret's content; tells nothing of it. */
  readonly version: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

export function credentialsOf(
  name: string,
  args: Ec2WorkerPoolArgs,
  plan: PoolPlan,
  options: ChildOptions,
): Credentials {
  if (plan.credentials === null) {
    return {
      arn: pulumi.output(args.credentials).apply((arn) => arn ?? ''),
      version: pulumi.output('given'),
      ready: [],
    };
  }
  const key = args.aws?.kmsKeyArn;
  const secret = new Secret(
    `${name}-credentials`,
    {
      description: 'Token and private key of a worker pool',
      // The name is made anew each time, so a pool that was destroyed does not keep its successor waiting.
      recoveryWindowInDays: 0,
      ...(key === undefined ? {} : { kmsKeyId: key }),
      ...(args.tags === undefined ? {} : { tags: args.tags }),
    },
    options,
  );
  const version = new SecretVersion(
    `${name}-credentials`,
    { secretId: secret.id, secretString: plan.credentials },
    afterOf(options),
  );
  return { arn: secret.arn, version: version.versionId, ready: [version] };
}

function parseLocation(location: string): { bucket: string; key: string } {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(location);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new pulumi.InputPropertyError({
      propertyPath: 'launcher.binaryLocation',
      reason: `expected "s3://bucket/key", got ${JSON.stringify(location)}`,
    });
  }
  return { bucket: match[1], key: match[2] };
}
