// Where a pool on Google Cloud keeps its launcher and its credentials, and who may read them.
import * as pulumi from '@pulumi/pulumi';
import { Secret } from '@pulumi/gcp/secretmanager/secret.js';
import { SecretIamMember } from '@pulumi/gcp/secretmanager/secretIamMember.js';
import { SecretVersion } from '@pulumi/gcp/secretmanager/secretVersion.js';
import { Bucket } from '@pulumi/gcp/storage/bucket.js';
import { BucketIAMMember } from '@pulumi/gcp/storage/bucketIAMMember.js';
import { BucketObject } from '@pulumi/gcp/storage/bucketObject.js';
import { shortName } from '../names.js';
import { afterOf, type ChildOptions, type PoolPlan } from '../plan.js';
import type { MigWorkerPoolArgs } from './arguments.js';

export interface LauncherObject {
  readonly url: pulumi.Output<string>;
  readonly sha256: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

/** What the names of all launchers of a pool begin with. */
const launchers = 'launcher-';

interface Place {
  readonly bucket: pulumi.Output<string>;
  readonly object: pulumi.Output<string>;
  /** Condition of what machines may read, launchers of the version before as well. */
  readonly readable: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

/** Null for the hosted launcher. The machines' account may read nothing of the bucket but launchers. */
export function launcherObjectOf(
  name: string,
  args: MigWorkerPoolArgs,
  { artifact, machine }: PoolPlan,
  member: pulumi.Input<string>,
  options: ChildOptions,
): LauncherObject | null {
  const { binaryLocation, binarySha256, distribution } = args.launcher ?? {};
  if (distribution === 'hosted') return null;
  const place =
    artifact === null
      ? given(binaryLocation)
      : uploaded(
          name,
          args,
          `${launchers}${machine.architecture}-${artifact.sha256}.gz`,
          artifact.path,
          options,
        );
  const reader = new BucketIAMMember(
    `${name}-launcher`,
    {
      bucket: place.bucket,
      role: 'roles/storage.objectViewer',
      member,
      condition: {
        title: 'launcher only',
        expression: place.readable,
      },
    },
    artifact === null ? options : afterOf(options),
  );
  return {
    url: pulumi.interpolate`https://storage.googleapis.com/${place.bucket}/${place.object}`,
    sha256: pulumi.output(artifact?.sha256 ?? binarySha256).apply((sha256) => sha256 ?? ''),
    ready: [...place.ready, reader],
  };
}

function uploaded(
  name: string,
  args: MigWorkerPoolArgs,
  object: string,
  path: string,
  options: ChildOptions,
): Place {
  const bucket = new Bucket(
    `${name}-launcher`,
    {
      location: args.region,
      uniformBucketLevelAccess: true,
      publicAccessPrevention: 'enforced',
      forceDestroy: true,
      ...(args.tags === undefined ? {} : { labels: args.tags }),
    },
    options,
  );
  // A new version is a new object, and the one before stays until the bucket goes: a machine of the version before may
  // boot while the new one rolls out, and the deployment does not wait for the end of that.
  const file = new BucketObject(
    `${name}-launcher`,
    { bucket: bucket.name, name: object, source: new pulumi.asset.FileAsset(path) },
    { ...afterOf(options), retainOnDelete: true },
  );
  return {
    bucket: bucket.name,
    object: file.outputName,
    readable: pulumi.interpolate`resource.name.startsWith("projects/_/buckets/${bucket.name}/objects/${launchers}")`,
    ready: [file],
  };
}

function given(location: pulumi.Input<string> | undefined): Place {
  const place = pulumi.output(location).apply((text) => {
    const match = /^gs:\/\/([^/]+)\/(.+)$/.exec(text ?? '');
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new pulumi.InputPropertyError({
        propertyPath: 'launcher.binaryLocation',
        reason: `expected "gs://bucket/object", got ${JSON.stringify(text)}`,
      });
    }
    return { bucket: match[1], object: match[2] };
  });
  const { bucket, object } = place;
  return {
    bucket,
    object,
    readable: pulumi.interpolate`resource.name == "projects/_/buckets/${bucket}/objects/${object}"`,
    ready: [],
  };
}

export interface Credentials {
  /** `projects/P/secrets/S`. */
  readonly id: pulumi.Output<string>;
  readonly version: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

export function credentialsOf(
  name: string,
  args: MigWorkerPoolArgs,
  plan: PoolPlan,
  member: pulumi.Input<string>,
  options: ChildOptions,
): Credentials {
  const made = plan.credentials === null ? null : secretOf(name, args, plan.credentials, options);
  const id = made?.id ?? pulumi.output(args.credentials).apply((text) => text ?? '');
  const secrets = [
    { part: 'credentials', id },
    ...(args.startupScript === undefined ? [] : [{ part: 'startup', id: pulumi.output(args.startupScript) }]),
  ];
  const readers = secrets.map(
    (secret) =>
      new SecretIamMember(
        `${name}-${secret.part}`,
        { secretId: secret.id, role: 'roles/secretmanager.secretAccessor', member },
        secret.id === made?.id ? afterOf(options) : options,
      ),
  );
  return {
    id,
    version: made?.version ?? pulumi.output('given'),
    ready: [...(made?.ready ?? []), ...readers],
  };
}

function secretOf(name: string, args: MigWorkerPoolArgs, text: pulumi.Output<string>, options: ChildOptions) {
  const secret = new Secret(
    `${name}-credentials`,
    {
      secretId: shortName(`${name}-credentials`, 60),
      replication: { auto: {} },
      ...(args.tags === undefined ? {} : { labels: args.tags }),
    },
    options,
  );
  const version = new SecretVersion(
    `${name}-credentials`,
    { secret: secret.id, secretData: text },
    // The version before stays readable until the new one is there.
    { ...afterOf(options), additionalSecretOutputs: ['secretData'] },
  );
  return { id: secret.id, version: version.version, ready: [version] };
}
