// Stand-in of a private registry: it has the runner image under every name with the tag 1, and with the tag
// `other` one for another architecture only, for who shows the credentials.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runnerImage } from './runner-image.js';

export interface RegistryOptions {
  /** Address of the registry, for its question for credentials. */
  readonly realm: string;
  readonly username: string;
  readonly password: string;
}

interface Content {
  readonly type: string;
  readonly body: Buffer;
}

/** What a Docker engine asks when it pulls (the distribution API, version 2). */
export function createRegistry({ realm, username, password }: RegistryOptions): RequestListener {
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  let contents: ReadonlyMap<string, Content> | undefined;
  return (request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': `Basic realm="${realm}"` }).end();
      return;
    }
    contents ??= imageContents();
    const path = (request.url ?? '').split('?')[0] ?? '';
    const content = contents.get(path.split('/').at(-1) ?? '');
    if (path === '/v2/') response.end('{}');
    else if (content === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    } else {
      response.writeHead(200, {
        'content-type': content.type,
        'content-length': content.body.length,
        'docker-content-digest': digestOf(content.body),
      });
      response.end(request.method === 'HEAD' ? undefined : content.body);
    }
  };
}

export interface LocalRegistry {
  /** `127.0.0.1:<port>`: an engine takes plain HTTP there. */
  readonly host: string;
  close(): Promise<void>;
}

/** On the loopback address, where engines need no certificate. */
export async function startRegistry(
  credentials: Pick<RegistryOptions, 'username' | 'password'>,
): Promise<LocalRegistry> {
  const server = createServer(createRegistry({ realm: 'test', ...credentials }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
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
    const list = onlyForOthers(part(manifest));
    return new Map([
      ...[config, manifest, list, ...layers].map((content) => [digestOf(content.body), content] as const),
      ['1', manifest] as const,
      ['other', list] as const,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A list of images with none for any architecture that tests run on. */
function onlyForOthers(manifest: object): Content {
  const type = 'application/vnd.docker.distribution.manifest.list.v2+json';
  const platform = { architecture: 's390x', os: 'linux' };
  const list = { schemaVersion: 2, mediaType: type, manifests: [{ ...manifest, platform }] };
  return { type, body: Buffer.from(JSON.stringify(list)) };
}

function digestOf(body: Buffer): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}
