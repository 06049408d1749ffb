// Stand-ins of what no emulator offers: the metadata service of each cloud, Key Vault, Google's Secret Manager and Cloud
// Storage, and of Auto Scaling CompleteLifecycleAction and RecordLifecycleActionHeartbeat, which moto does not have.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cloud } from '../../../components/machines.js';
import { isSigned } from '../../launcher/notices/support/signature.js';
import type { InstanceIdentity } from './moto.js';
import { audienceOf, identityToken } from './tokens.js';

export interface CloudStandIn {
  /** Port of the metadata service. */
  readonly port: number;
  /** What secrets answer; null: access is denied. */
  secret: string | null;
  /** What a secret answers whose name has `startup` in it. */
  startup: string;
  /** File that Cloud Storage gives out as the launcher. */
  launcher: string;
  /** EC2: credentials of the instance's role. */
  identity: InstanceIdentity;
  /** What the metadata service says beyond what it always does, by path: a test announces things here. */
  readonly announced: Map<string, string>;
  /** EC2: port of the emulator that has the group; null: every call to Auto Scaling is answered here. */
  groupAt: number | null;
  /** EC2: told of each call to Auto Scaling before it is answered. */
  onScaling: (parameters: URLSearchParams) => Promise<void>;
  /** Answers requests to the cloud's services. */
  readonly services: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
}

const json = (value: unknown) => JSON.stringify(value);

/** What the metadata service of each cloud says of the machine, by path. */
const metadata: Readonly<Record<Cloud, Readonly<Record<string, string>>>> = {
  aws: {
    '/latest/api/token': 'metadata-token',
    '/latest/meta-data/iam/security-credentials/': 'workers',
    '/latest/meta-data/placement/region': 'eu-west-1',
    '/latest/meta-data/services/domain': 'amazonaws.com',
    '/latest/meta-data/autoscaling/target-lifecycle-state': 'InService',
    '/latest/meta-data/instance-id': 'i-0abc',
    '/latest/meta-data/ami-id': 'ami-0def',
    '/latest/meta-data/tags/instance/aws:autoscaling:groupName': 'builds-workers',
  },
  azure: {
    '/metadata/scheduledevents': json({ DocumentIncarnation: 1, Events: [] }),
    '/metadata/instance/compute': json({
      azEnvironment: 'AzurePublicCloud',
      location: 'westeurope',
      name: 'builds_3',
      vmScaleSetName: 'builds',
      resourceId:
        '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/builds/virtualMachines/3',
    }),
  },
  google: {
    '/computeMetadata/v1/instance/preempted': 'FALSE',
    '/computeMetadata/v1/instance/maintenance-event': 'NONE',
    '/computeMetadata/v1/instance/service-accounts/default/token': json({
      access_token: 'account-token',
      expires_in: 3600,
    }),
    '/computeMetadata/v1/instance/name': 'builds-x1y2',
    '/computeMetadata/v1/instance/zone': 'projects/123456/zones/europe-west4-a',
    '/computeMetadata/v1/instance/machine-type': 'projects/123456/machineTypes/e2-medium',
    '/computeMetadata/v1/project/project-id': 'my-project',
    '/computeMetadata/v1/instance/attributes/created-by':
      'projects/123456/regions/europe-west4/instanceGroupManagers/builds',
  },
};

/** What a worker registers with, as metadata that tools look at. */
export const expectedMetadata: Readonly<Record<Cloud, Readonly<Record<string, string>>>> = {
  aws: { instance_id: 'i-0abc', ami_id: 'ami-0def', asg_id: 'builds-workers' },
  azure: {
    instance_id: '3',
    vmss_name: 'builds',
    asg_id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/builds',
  },
  google: {
    gcp_instance_id: 'projects/my-project/zones/europe-west4-a/instances/builds-x1y2',
    gcp_igm_id: 'projects/my-project/regions/europe-west4/instanceGroupManagers/builds',
    gcp_machine_type: 'e2-medium',
    cloud_provider: 'gcp',
  },
};

export async function startCloud(
  cloud: Cloud,
  host: string,
  launcher: string,
  secret: string,
): Promise<CloudStandIn> {
  const server = createServer(answerMetadata);
  server.listen(0, host);
  await once(server, 'listening');
  const standIn: CloudStandIn = {
    port: (server.address() as AddressInfo).port,
    secret,
    startup: '',
    launcher,
    identity: { AccessKeyId: '', SecretAccessKey: '', Token: '' },
    announced: new Map(),
    groupAt: null,
    onScaling: () => Promise.resolve(),
    services: { aws: autoScaling, azure: azureServices, google }[cloud],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return standIn;

  function answerMetadata(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://169.254.169.254');
    const known =
      standIn.announced.get(pathname) ?? metadata[cloud][pathname] ?? tokenOf(pathname, searchParams);
    if (known === undefined) response.writeHead(404).end('not found');
    else if (mayAsk(cloud, pathname, request)) response.end(known);
    else response.writeHead(401).end('the request lacks what the metadata service asks for');
  }

  function tokenOf(path: string, parameters: URLSearchParams): string | undefined {
    if (cloud === 'aws' && path === '/latest/meta-data/iam/security-credentials/workers')
      return json(standIn.identity);
    if (cloud !== 'azure' || path !== '/metadata/identity/oauth2/token') return undefined;
    const resource = parameters.get('resource');
    if (resource === null || parameters.get('client_id') !== 'client') return undefined;
    // Azure gives tokens for the address without its last slash, too.
    return json({ access_token: identityToken(resource.replace(/\/$/, '')), expires_in: '3600' });
  }

  /** The calls that a worker makes about itself, signed by its role. */
  function autoScaling(request: IncomingMessage, response: ServerResponse): void {
    void (async () => {
      const body = await textOf(request);
      const asked = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body };
      if (!isSigned(asked, standIn.identity.SecretAccessKey)) {
        response.writeHead(403).end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
        return;
      }
      const parameters = new URLSearchParams(body);
      await standIn.onScaling(parameters);
      if (standIn.groupAt === null || parameters.get('Action') !== 'SetInstanceProtection') {
        response.end('<Response/>');
        return;
      }
      const onward = httpRequest({ host: '127.0.0.1', port: standIn.groupAt, ...asked, path: asked.url });
      onward.on('response', (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 502)));
      onward.on('error', (error) => response.writeHead(502).end(String(error)));
      onward.end(body);
    })();
  }

  function azureServices(request: IncomingMessage, response: ServerResponse): void {
    if (!request.headers.host?.startsWith('management.')) keyVault(request, response);
    else if (audienceOf(request.headers.authorization ?? '') === 'https://management.azure.com')
      response.writeHead(202).end();
    else response.writeHead(401).end(json({ error: { code: 'AuthenticationFailed', message: 'no token' } }));
  }

  function keyVault(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://v.vault.azure.net');
    if (
      audienceOf(request.headers.authorization ?? '') !== 'https://vault.azure.net' ||
      !searchParams.has('api-version')
    )
      response.writeHead(401).end(json({ error: { code: 'Unauthorized', message: 'AKV10000' } }));
    else
      answerSecret(pathname, response, (value) =>
        json({ value, id: `https://v.vault.azure.net${pathname}/1` }),
      );
  }

  function google(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (request.headers.authorization !== 'Bearer account-token')
      response.writeHead(401).end(json({ error: { status: 'UNAUTHENTICATED' } }));
    else if (path.startsWith('/builds-launcher-b/launcher-x86_64-'))
      createReadStream(standIn.launcher).pipe(response);
    else if (/^\/v1\/projects\/[^/]+\/secrets\/[^/]+\/versions\/latest:access$/.test(path))
      answerSecret(path, response, (value) =>
        json({
          name: path.replace('latest:access', '1'),
          payload: { data: Buffer.from(value).toString('base64') },
        }),
      );
    else response.writeHead(404).end('not found');
  }

  function answerSecret(path: string, response: ServerResponse, wrap: (value: string) => string): void {
    if (path.includes('startup')) response.end(wrap(standIn.startup));
    else if (standIn.secret === null)
      response.writeHead(403).end(json({ message: 'Access to the secret is denied' }));
    else response.end(wrap(standIn.secret));
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) text += String(part);
  return text;
}

function mayAsk(cloud: Cloud, path: string, { headers, method }: IncomingMessage): boolean {
  switch (cloud) {
    case 'aws':
      return path === '/latest/api/token'
        ? method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined
        : headers['x-aws-ec2-metadata-token'] === 'metadata-token';
    case 'azure':
      return headers['metadata'] === 'true';
    case 'google':
      return headers['metadata-flavor'] === 'Google';
  }
}
