// Azurite, Microsoft's emulator of Azure's storage. It takes the tokens of managed identities, and only over TLS.
import { writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { available } from '../../support/skips.js';
import { temporaryDirectory } from './files.js';
import { startProgram } from './program.js';
import { identityToken } from './tokens.js';

const program = resolve('.tools/azurite/node_modules/azurite/dist/src/blob/main.js');

export const hasAzurite = (what: string) =>
  available(what, existsSync(program), `no ${program} (npm run test:tools brings it)`);

export interface Azurite {
  readonly port: number;
  /** Puts a blob into a container of the account, both made when they are not there. */
  putBlob(account: string, container: string, blob: string, body: Buffer): Promise<void>;
  close(): Promise<void>;
}

export async function startAzurite(
  account: string,
  tls: { readonly certificate: string; readonly privateKey: string },
): Promise<Azurite> {
  const folder = await temporaryDirectory();
  const [cert, key] = [join(folder.path, 'certificate.pem'), join(folder.path, 'key.pem')];
  await writeFile(cert, tls.certificate);
  await writeFile(key, tls.privateKey);
  const emulator = await startProgram(
    process.execPath,
    (free) => [
      program,
      ...['--blobHost', '127.0.0.1', '--blobPort', String(free), '--location', folder.path],
      ...['--oauth', 'basic', '--cert', cert, '--key', key, '--silent', '--disableTelemetry'],
    ],
    { AZURITE_ACCOUNTS: `${account}:${Buffer.from('key of an account').toString('base64')}` },
    async (free) => (await ask(free, account, 'GET', '/?comp=list')).status === 200,
  );
  const { port } = emulator;
  return {
    port,
    async putBlob(name, container, blob, body) {
      const made = await ask(port, name, 'PUT', `/${container}?restype=container`);
      if (made.status !== 201 && made.status !== 409) throw new Error(`Azurite: ${made.body}`);
      const put = await ask(port, name, 'PUT', `/${container}/${blob}`, body);
      if (put.status !== 201) throw new Error(`Azurite: ${put.body}`);
    },
    async close() {
      await emulator.close();
      await folder.remove();
    },
  };
}

async function ask(
  port: number,
  account: string,
  method: string,
  path: string,
  body?: Buffer,
): Promise<{ status: number; body: string }> {
  const sent = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    // The certificate is of the names that machines use.
    rejectUnauthorized: false,
    headers: {
      host: `${account}.blob.core.windows.net`,
      authorization: `Bearer ${identityToken('https://storage.azure.com')}`,
      'x-ms-version': '2021-08-06',
      'x-ms-blob-type': 'BlockBlob',
      'content-length': String(body?.length ?? 0),
    },
  });
  return new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      text(response).then((answer) => {
        resolve({ status: response.statusCode ?? 0, body: answer });
      }, reject);
    });
    sent.end(body);
  });
}
