// Stand-in of a cloud's private registry: it has the runner image, for who logs in as machines of that cloud do.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cloud } from '../../../components/machines.js';
import { runnerImage } from '../../support/runner-image.js';
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

interface Content {
  readonly type: string;
  readonly body: Buffer;
}

export function createRegistry(cloud: Cloud): RequestListener {
  const { host, username, password } = registries[cloud];
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  let contents: ReadonlyMap<string, Content> | undefined;
  return (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    if (cloud === 'azure' && path === '/oauth2/exchange') {
      exchanged(request, host).then(
        (token) => response.end(JSON.stringify({ refresh_token: token })),
        (error: unknown) => response.writeHead(401).end(String(error)),
      );
      return;
    }
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': `Basic realm="https://${host}/"` }).end();
      return;
    }
    contents ??= imageContents();
    const name = path.split('/').at(-1) ?? '';
    const content = contents.get(name);
    if (path === '/v2/') response.end('{}');
    else if (content === undefined) response.writeHead(404).end();
    else {
      response.writeHead(200, {
        'content-type': content.type,
        'content-length': content.body.length,
        'docker-content-digest': digestOf(content.body),
      });
      response.end(request.method === 'HEAD' ? undefined : content.body);
    }
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

/** By digest, and the manifest by its tag, too. */
function imageContents(): ReadonlyMap<string, Content> {
  const folder = mkdtempSync(join(tmpdir(), 'poolwright-registry-'));
  try {
    execFileSync('bash', [
      '-c',
      'set -o pipefail; docker save "$1" | tar -C "$2" -x',
      'save',
      runnerImage,
      folder,
    ]);
    const [saved] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [
      { Config: string; Layers: string[] },
    ];
    const blob = (type: string, file: string) => ({
      type: `application/vnd.docker.${type}`,
      body: readFileSync(join(folder, file)),
    });
    const config = blob('container.image.v1+json', saved.Config);
    // Docker looks itself whether a layer is compressed.
    const layers = saved.Layers.map((layer) => blob('image.rootfs.diff.tar.gzip', layer));
    const part = ({ type, body }: Content) => ({
      mediaType: type,
      size: body.length,
      digest: digestOf(body),
    });
    const manifest = {
      type: 'application/vnd.docker.distribution.manifest.v2+json',
      body: Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
          config: part(config),
          layers: layers.map(part),
        }),
      ),
    };
    return new Map([
      ...[config, manifest, ...layers].map((content) => [digestOf(content.body), content] as const),
      ['1', manifest] as const,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}
