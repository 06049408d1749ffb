// Stand-in of a cloud's private registry: it has the runner image, for who logs in as machines of that cloud do.
import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Cloud } from '../../../components/machines.js';
import { createRegistry } from '../../support/registry.js';
import { audienceOf } from './tokens.js';

interface Kind {
  readonly host: string;
  /** What names it in the arguments of a pool. */
  readonly reference: string;
  readonly username: string;
  readonly password: string;
}

export const registries: Readonly<Record<Cloud, Kind>> = {
  aws: {
    host: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    reference: 'arn:aws:ecr:eu-west-1:123456789012:repository/runner',
    username: 'AWS',
    // What moto gives out.
    password: '123456789012-auth-token',
  },
  azure: {
    host: 'builds.azurecr.io',
    reference: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/builds',
    username: '00000000-0000-0000-0000-000000000000',
    password: 'refresh-token',
  },
  google: {
    host: 'europe-west4-docker.pkg.dev',
    reference: 'projects/project/locations/europe-west4/repositories/runners',
    username: 'oauth2accesstoken',
    password: 'account-token',
  },
};

/** The image's name in the registry of a cloud. */
export const privateImage = (cloud: Cloud) => `${registries[cloud].host}/runners/runner:1`;

export function createCloudRegistry(cloud: Cloud): RequestListener {
  const { host, username, password } = registries[cloud];
  const registry = createRegistry({ realm: `https://${host}/`, username, password });
  return (request, response) => {
    if (cloud === 'azure' && request.url?.split('?')[0] === '/oauth2/exchange') {
      exchanged(request, host).then(
        (token) => response.end(JSON.stringify({ refresh_token: token })),
        (error: unknown) => response.writeHead(401).end(String(error)),
      );
      return;
    }
    registry(request, response);
  };
}

/** What Azure's registries do with the token of an identity. */
async function exchanged(request: IncomingMessage, host: string): Promise<string> {
  const form = new URLSearchParams(await text(request));
  const wanted: Record<string, string> = {
    grant_type: 'access_token',
    service: host,
    tenant: '11111111-2222-3333-4444-555555555555',
  };
  for (const [name, value] of Object.entries(wanted))
    if (form.get(name) !== value) throw new Error(`${name} is ${String(form.get(name))}`);
  if (audienceOf(form.get('access_token') ?? '') !== 'https://containerregistry.azure.net')
    throw new Error('the access token is not for registries');
  return registries.azure.password;
}
