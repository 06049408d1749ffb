// What the components of each cloud give their machines: deployed without an engine, with the pool's real credentials.
import { gunzipSync } from 'node:zlib';
import type { WorkerPoolArgs } from '../../../components/arguments.js';
import { Ec2WorkerPool } from '../../../components/ec2-worker-pool.js';
import type { Cloud } from '../../../components/machines.js';
import { MigWorkerPool } from '../../../components/mig-worker-pool.js';
import { VmssWorkerPool } from '../../../components/vmss-worker-pool.js';
import { aws } from '../../components/support/aws.js';
import { azure } from '../../components/support/azure.js';
import { deploy } from '../../components/support/deployment.js';
import { google } from '../../components/support/google.js';

/** Values of the stand-in deployments: account of Azure's storage, bucket of S3. */
export const azureAccount = 'account';
export const launcherBucket = 'builds-launcher-b';

export interface DeployedPool {
  readonly userData: string;
  /** Key of the launcher in its bucket or container. */
  readonly launcherKey: string;
  /** EC2: what the machines' role may do. */
  readonly policy: string;
}

export async function deployPool(
  cloud: Cloud,
  args: WorkerPoolArgs,
  { secretArn = '' }: { readonly secretArn?: string } = {},
): Promise<DeployedPool> {
  switch (cloud) {
    case 'aws': {
      const states: typeof aws.states = (type, name, inputs) => ({
        ...aws.states(type, name, inputs),
        ...(type === 'aws:secretsmanager/secret:Secret' ? { arn: secretArn } : {}),
      });
      const deployed = await deploy(() => new Ec2WorkerPool('builds', { subnetIds: ['subnet-1'], ...args }), {
        ...aws,
        states,
      });
      const { inputs } = deployed.one('LaunchTemplate');
      return {
        userData: gunzipSync(Buffer.from(textOf(inputs['userData']), 'base64')).toString(),
        launcherKey: textOf(deployed.one('BucketObjectv2').inputs['key']),
        policy: joined(
          deployed.resources
            .filter(({ type }) => type.endsWith(':RolePolicy'))
            .map(({ inputs }) => textOf(inputs['policy'])),
        ),
      };
    }
    case 'azure': {
      const deployed = await deploy(
        () => new VmssWorkerPool('builds', { resourceGroupName: 'g', ...args }),
        azure,
      );
      const profile = deployed.one('VirtualMachineScaleSet').inputs['virtualMachineProfile'] as {
        osProfile: { customData: string };
      };
      return {
        userData: Buffer.from(profile.osProfile.customData, 'base64').toString(),
        launcherKey: textOf(deployed.one('azure-native:storage:Blob').inputs['blobName']),
        policy: '',
      };
    }
    case 'google': {
      const deployed = await deploy(
        () => new MigWorkerPool('builds', { region: 'europe-west4', ...args }),
        google,
      );
      const data = deployed.one('InstanceTemplate').inputs['metadata'] as Record<string, unknown>;
      return { userData: textOf(data['startup-script']), launcherKey: '', policy: '' };
    }
  }
}

/** One policy with the statements of all. */
function joined(policies: readonly string[]): string {
  const statements = policies.flatMap((text) => (JSON.parse(text) as { Statement: unknown[] }).Statement);
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`expected a text, got ${JSON.stringify(value)}`);
  return value;
}
