// Stand-in of a cloud around one machine: instance metadata, secrets and objects, at one address of this host.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Cloud } from '../../../components/machines.js';

export interface CloudStandIn {
  readonly port: number;
  /** Requests that came, as `METHOD path`. */
  readonly requests: readonly string[];
  /** What secrets answer; null: access is denied. */
  secret: string | null;
  /** What a secret answers whose name has `startup` in it. */
  startup: string;
  /** File that is given out as the launcher. */
  launcher: string;
  close(): Promise<void>;
}

const json = (value: unknown) => JSON.stringify(value);
const identity = { AccessKeyId: 'AKIDSTANDIN', SecretAccessKey: 'secret/access+key', Token: 'session-token' };

/** What the metadata service of each cloud says of the machine, by path. */
const metadata: Readonly<Record<Cloud, Readonly<Record<string, string>>>> = {
  aws: {
    '/latest/api/token': 'metadata-token',
    '/latest/meta-data/iam/security-credentials/': 'workers',
    '/latest/meta-data/iam/security-credentials/workers': json(identity),
    '/latest/meta-data/placement/region': 'eu-west-1',
    '/latest/meta-data/instance-id': 'i-0abc',
    '/latest/meta-data/ami-id': 'ami-0def',
    '/latest/meta-data/tags/instance/aws:autoscaling:groupName': 'builds-workers',
  },
  azure: {
    '/metadata/identity/oauth2/token': json({ access_token: 'managed-identity-token', expires_in: '3600' }),
    '/metadata/instance/compute': json({
      vmScaleSetName: 'builds',
      resourceId:
        '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/builds/virtualMachines/3',
    }),
  },
  google: {
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

const authorization: Readonly<Record<Cloud, RegExp>> = {
  aws: /^AWS4-HMAC-SHA256 Credential=AKIDSTANDIN\/\d{8}\/eu-west-1\/(s3|secretsmanager)\/aws4_request/,
  azure: /^Bearer managed-identity-token$/,
  google: /^Bearer account-token$/,
};

export async function startCloud(
  cloud: Cloud,
  host: string,
  launcher: string,
  secret: string,
): Promise<CloudStandIn> {
  const requests: string[] = [];
  const standIn = { port: 0, requests, secret: secret as string | null, startup: '', launcher, close };
  const server: Server = createServer((request, response) => {
    answer(request, response);
  });
  server.listen(0, host);
  await once(server, 'listening');
  standIn.port = (server.address() as AddressInfo).port;
  return standIn;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?')[0] ?? '';
    requests.push(`${request.method ?? ''} ${path}`);
    const known = metadata[cloud][path];
    if (known !== undefined) {
      if (mayAsk(cloud, path, request)) response.end(known);
      else response.writeHead(401).end('the request lacks what the metadata service asks for');
      return;
    }
    if (!path.startsWith('/objects/') && !path.startsWith('/secrets') && !path.startsWith('/v1/')) {
      response.writeHead(404).end('not found');
      return;
    }
    if (!authorization[cloud].test(request.headers.authorization ?? '')) {
      response.writeHead(403).end('not authorized');
      return;
    }
    if (path.startsWith('/objects/')) {
      createReadStream(standIn.launcher).pipe(response);
      return;
    }
    if (path.includes('startup')) response.end(secretAnswer(cloud, standIn.startup));
    else if (standIn.secret === null)
      response.writeHead(403).end(json({ message: 'Access to the secret is denied' }));
    else response.end(secretAnswer(cloud, standIn.secret));
  }

  async function close(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
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

function secretAnswer(cloud: Cloud, secret: string): string {
  switch (cloud) {
    case 'aws':
      return json({ ARN: 'arn', Name: 'credentials', SecretString: secret, VersionStages: ['AWSCURRENT'] });
    case 'azure':
      return json({ value: secret, id: 'https://vault/secrets/credentials/1' });
    case 'google':
      return json({
        name: 'projects/p/secrets/s/versions/1',
        payload: { data: Buffer.from(secret).toString('base64') },
      });
  }
}
