// A worker pool inside an existing program: its network, its provider, its tags, and rights for what runs deploy.
import { Ec2WorkerPool } from '@poolwright/workerpools/aws';
import { RolePolicyAttachment } from '@pulumi/aws/iam/rolePolicyAttachment.js';
import { Provider } from '@pulumi/aws/provider.js';
import { Config, StackReference } from '@pulumi/pulumi';

const config = new Config();
const network = new StackReference(config.require('networkStack'));
const frankfurt = new Provider('frankfurt', { region: 'eu-central-1' });

const pool = new Ec2WorkerPool(
  'builds',
  {
    token: config.requireSecret('token'),
    privateKey: config.requireSecret('privateKey'),
    subnetIds: network.requireOutput('privateSubnetIds'),
    architecture: 'arm64',
    size: { min: 0, max: 20 },
    spot: true,
    tags: { team: 'platform', 'cost-centre': '4711' },
    // Runs deploy with the role of the machine itself.
    runsUseInstanceIdentity: true,
    launcher: {
      runTimeout: '1h30m',
      metadata: { team: 'platform' },
      workerExtraMounts: ['/srv/plugin-cache:/plugin-cache'],
    },
    aws: { mixedInstances: { machineTypes: ['c7g.large', 'm7g.large'] } },
  },
  {
    provider: frankfurt,
    // Anything that the component does not offer can be changed on its resources.
    transformations: [
      ({ type, props, opts }) =>
        type === 'aws:ec2/launchTemplate:LaunchTemplate'
          ? { props: { ...(props as object), ebsOptimized: 'true' }, opts }
          : undefined,
    ],
  },
);

new RolePolicyAttachment(
  'deploy',
  { role: pool.roleName, policyArn: 'arn:aws:iam::aws:policy/PowerUserAccess' },
  { provider: frankfurt },
);

export const howToLook = pool.howToLook;
