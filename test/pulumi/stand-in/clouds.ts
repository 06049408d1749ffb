// What the stand-ins know of clouds: the state that a cloud would add to a resource, and answers to look-ups.
import { aws } from '../../components/support/aws.js';
import { azure } from '../../components/support/azure.js';
import { google } from '../../components/support/google.js';
import { kubernetes } from '../../components/support/kubernetes.js';
import type { Properties } from './values.js';

const clouds: Readonly<Record<string, typeof aws>> = {
  aws,
  'azure-native': azure,
  gcp: google,
  kubernetes,
};

/** Resources that a cloud does not change but makes anew, by the part of their input that says so. */
const fixed: Readonly<Record<string, readonly string[]>> = {
  'aws:autoscaling/lifecycleHook:LifecycleHook': ['name', 'autoscalingGroupName'],
  'aws:iam/rolePolicy:RolePolicy': ['role'],
  'aws:secretsmanager/secretVersion:SecretVersion': ['secretString'],
  'aws:s3/bucketObjectv2:BucketObjectv2': ['key'],
  'azure-native:authorization:RoleAssignment': ['*'],
  'azure-native:authorization:RoleDefinition': ['scope', 'roleDefinitionId'],
  'azure-native:storage:Blob': ['blobName'],
  'gcp:secretmanager/secretVersion:SecretVersion': ['secretData'],
  'gcp:secretmanager/secretIamMember:SecretIamMember': ['*'],
  'gcp:storage/bucketIAMMember:BucketIAMMember': ['*'],
  'gcp:storage/bucketObject:BucketObject': ['name'],
  'gcp:compute/instanceTemplate:InstanceTemplate': ['*'],
  // Unless its provider is told otherwise.
  'kubernetes:core/v1:Secret': ['stringData'],
};

/** State that tells how often a resource was made or changed. */
const counted: Readonly<Record<string, (count: number, name: string) => Properties>> = {
  'aws:secretsmanager/secretVersion:SecretVersion': (count) => ({ versionId: `version-${String(count)}` }),
  'aws:ec2/launchTemplate:LaunchTemplate': (count) => ({ latestVersion: count }),
  'azure-native:keyvault:Secret': (count) => ({
    properties: {
      secretUri: 'https://v.vault.azure.net/secrets/credentials',
      secretUriWithVersion: `https://v.vault.azure.net/secrets/credentials/${String(count)}`,
    },
  }),
  'gcp:secretmanager/secretVersion:SecretVersion': (count) => ({ version: String(count) }),
  'gcp:compute/instanceTemplate:InstanceTemplate': (count) => ({
    selfLinkUnique: `https://compute/template?uniqueId=${String(count)}`,
  }),
  'kubernetes:core/v1:Secret': (count, name) => ({ metadata: { name: `${name}-${String(count)}` } }),
};

/** `count` of makings and changes of this resource, with this one. */
export function stateOf(type: string, name: string, inputs: Properties, count: number): Properties {
  const cloud = clouds[type.split(':')[0] ?? ''];
  return { ...cloud?.states(type, name, { ...inputs }), ...counted[type]?.(count, name) };
}

export function answerTo(token: string, inputs: Properties): Properties {
  const cloud = clouds[token.split(':')[0] ?? ''];
  if (cloud === undefined) throw new Error(`no stand-in answers ${token}`);
  return cloud.answers(token, { ...inputs });
}

/** Which of the changed inputs cannot be changed on a resource of this type. */
export function replacedBy(type: string, changed: readonly string[]): readonly string[] {
  const inputs = fixed[type] ?? [];
  return inputs.includes('*') ? changed : changed.filter((name) => inputs.includes(name));
}
