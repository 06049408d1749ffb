// `npm run preview -- aws|azure|google|kubernetes|all [--json]`: the resources that a pool with default arguments would
// have, and the script that its machines would run, or the WorkerPool. Needs no account and no engine: a stand-in answers
// in place of the cloud.
import { gunzipSync } from 'node:zlib';
import process from 'node:process';
import * as pulumi from '@pulumi/pulumi';
import { dumpYaml } from '@kubernetes/client-node';
import { runSteps } from './stamps.mjs';

/** @typedef {{ type: string, name: string, inputs: Record<string, any> }} Made */

/** @type {Record<string, { module: string, component: string, args: object, script: (made: Made[]) => string }>} */
const clouds = {
  aws: {
    module: 'ec2-worker-pool',
    component: 'Ec2WorkerPool',
    args: {
      credentials: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:pool',
      subnetIds: ['subnet-0123456789abcdef0'],
    },
    script: (made) => gunzipSync(Buffer.from(find(made, 'LaunchTemplate')['userData'], 'base64')).toString(),
  },
  azure: {
    module: 'vmss-worker-pool',
    component: 'VmssWorkerPool',
    args: { credentials: 'https://example.vault.azure.net/secrets/pool', resourceGroupName: 'workers' },
    script: (made) =>
      Buffer.from(
        find(made, 'VirtualMachineScaleSet')['virtualMachineProfile'].osProfile.customData,
        'base64',
      ).toString(),
  },
  google: {
    module: 'mig-worker-pool',
    component: 'MigWorkerPool',
    args: { credentials: 'projects/example/secrets/pool', region: 'europe-west4' },
    script: (made) => find(made, 'InstanceTemplate')['metadata']['startup-script'],
  },
  kubernetes: {
    module: 'kubernetes-worker-pool',
    component: 'KubernetesWorkerPool',
    args: {
      credentials: 'pool',
      namespace: 'runs',
      launcher: { image: 'registry.example/poolwright-launcher:1' },
    },
    script: (made) => dumpYaml(find(made, 'WorkerPool')),
  },
};

/** Answers to look-ups, whatever was asked: each caller takes the fields it knows. */
const answers = {
  partition: 'aws',
  region: 'eu-west-1',
  id: 'found-at-deployment',
  rootDeviceName: '/dev/xvda',
  vpcId: 'vpc-of-the-subnet',
  instanceTypes: ['t3.small'],
  selfLink: 'projects/debian-cloud/global/images/found-at-deployment',
  location: 'westeurope',
  subscriptionId: '00000000-0000-0000-0000-000000000000',
  tenantId: '00000000-0000-0000-0000-000000000000',
};

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.filter((word) => !word.startsWith('-'));
const names = wanted.includes('all') ? Object.keys(clouds) : wanted;
const wrong = names.filter((name) => !Object.hasOwn(clouds, name));
if (names.length === 0 || wrong.length > 0 || words.includes('--help')) {
  const said =
    wrong.length > 0 ? `Expected aws, azure, google, kubernetes or all, got ${wrong.join(', ')}.\n` : '';
  process.stderr.write(`${said}npm run preview -- aws|azure|google|kubernetes|all [--json]\n`);
  process.exit(words.includes('--help') ? 0 : 2);
}
await runSteps(['programs', 'launcher', 'executables']);

const shown = [];
for (const name of names) shown.push(await preview(name));
process.stdout.write(json ? `${JSON.stringify(shown, null, 2)}\n` : shown.map(text).join('\n'));

/** @param {string} name */
async function preview(name) {
  /** @type {Made[]} */
  const made = [];
  await pulumi.runtime.setMocks(
    {
      newResource({ type, name: resource, inputs }) {
        made.push({ type, name: resource, inputs });
        const shape = {
          name: resource,
          arn: `arn:of:${resource}`,
          url: `https://account-of-${resource}.blob.core.windows.net/launcher/${String(inputs.blobName)}`,
          clientId: `client-of-${resource}`,
          bucketRegionalDomainName: `${resource}.s3.eu-west-1.amazonaws.com`,
        };
        // Objects of Kubernetes without a name get one.
        const metadata = type.startsWith('kubernetes:')
          ? { metadata: { name: `${resource}-1a2b3c4d`, ...inputs.metadata } }
          : {};
        return {
          id: `id-of-${resource}`,
          state: { ...shape, outputName: inputs.name, ...inputs, ...metadata },
        };
      },
      call: () => answers,
    },
    'preview',
    'preview',
  );
  const { module, component, args, script } = clouds[name] ?? raise(name);
  const { [component]: Pool } = await import(`../dist/components/${module}.js`);
  new Pool('builds', args);
  await pulumi.runtime.disconnect();
  const resources = made
    .filter(({ type }) => !type.startsWith('workerpools:'))
    .map(({ type, name: resource }) => ({ type, name: resource }))
    .sort((a, b) => a.type.localeCompare(b.type) || a.name.localeCompare(b.name));
  return { component, name: 'builds', resources, script: script(made) };
}

/** @param {{ component: string, name: string, resources: { type: string, name: string }[], script: string }} pool */
function text({ component, name, resources, script }) {
  const width = Math.max(...resources.map(({ type }) => type.length));
  const lines = resources.map(
    ({ type, name: resource }, index) =>
      `${index === resources.length - 1 ? '└─' : '├─'} ${type.padEnd(width)}  ${resource}`,
  );
  const what = component === 'KubernetesWorkerPool' ? 'The WorkerPool' : 'The script of its machines';
  return `${component} ${name}\n${lines.join('\n')}\n\n${what}:\n\n${script}`;
}

/** @param {Made[]} made @param {string} type */
function find(made, type) {
  return made.find((resource) => resource.type.endsWith(`:${type}`))?.inputs ?? raise(type);
}

/** @param {string} what @returns {never} */
function raise(what) {
  throw new Error(`there is no ${what}`);
}
