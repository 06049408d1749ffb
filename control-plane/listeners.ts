// Where a control plane listens: the API with its certificate, and the embedded broker with one of its own.
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { issueServerCertificate } from '../protocol/certificates.js';
import type { BrokerAddress } from '../protocol/endpoint.js';
import { PoolwrightError, messageOf } from '../protocol/errors.js';
import { hostsOf, isLoopback } from './addresses.js';
import type { Broker } from './broker/broker.js';
import { startEmbeddedBroker } from './broker/embedded.js';
import type { Context } from './context.js';
import type { createApp } from './http/app.js';
import { startHttpServer, type HttpServer } from './http/server.js';
import type { AuthorityFiles } from './pools/authority.js';
import { findPool } from './pools/pools.js';

export interface ListenOptions {
  /** Address of API and pages. Port 0: any free one. */
  readonly listen: BrokerAddress;
  readonly brokerListen: BrokerAddress;
  /** How launchers reach the broker, when not at `brokerListen`. */
  readonly brokerEndpoint?: BrokerAddress | undefined;
  /** How browsers and launchers reach the API, when not at `listen`; without a slash at its end. */
  readonly publicUrl?: string | undefined;
  /** PEM files. Without them an address that is not of this machine alone gets a certificate of the own authority. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Plain HTTP at `listen`, whatever the address. */
  readonly behindProxy?: boolean;
}

/** The API, and what upgrades to the broker's WebSocket. Throws INVALID_ARGUMENT, PORT_IN_USE. `now`: Unix milliseconds. */
export async function startApi(
  options: ListenOptions,
  files: AuthorityFiles,
  now: number,
  app: Awaited<ReturnType<typeof createApp>>,
  onUpgrade: Broker['upgrade'],
): Promise<HttpServer> {
  const at = { ...options.listen, onUpgrade };
  const { host } = at;
  if (options.tls !== undefined) return startHttpServer(app, { ...at, tls: await readTls(options.tls) });
  if (options.behindProxy === true || isLoopback(host)) return startHttpServer(app, at);
  const publicHost = options.publicUrl === undefined ? undefined : new URL(options.publicUrl).hostname;
  const { certificate, privateKey } = await issueServerCertificate({
    authority: files.authority,
    hosts: hostsOf(host, publicHost),
    now,
  });
  return startHttpServer(app, { ...at, tls: { certificate, key: privateKey } });
}

async function readTls({ certFile, keyFile }: NonNullable<ListenOptions['tls']>) {
  const read = (file: string) =>
    readFile(file, 'utf8').catch((error: unknown) => {
      throw new PoolwrightError('INVALID_ARGUMENT', `The file ${file} cannot be read (${messageOf(error)}).`);
    });
  return { certificate: await read(certFile), key: await read(keyFile) };
}

/** The embedded broker. Throws PORT_IN_USE. */
export async function startBroker(
  options: ListenOptions,
  files: AuthorityFiles,
  rest: {
    readonly context: Context;
    readonly log: Logger;
    readonly now: number;
    readonly onMessage: Parameters<typeof startEmbeddedBroker>[0]['onMessage'];
  },
): Promise<Broker> {
  const { host, port } = options.brokerListen;
  // A new certificate at every start: it is never old.
  const { certificate, privateKey } = await issueServerCertificate({
    authority: files.authority,
    hosts: hostsOf(host, options.brokerEndpoint?.host),
    now: rest.now,
  });
  return startEmbeddedBroker({
    host,
    port,
    certificate,
    key: privateKey,
    authority: files.authority.certificate,
    now: () => rest.context.clock.now(),
    currentSerial: async (pool) => (await findPool(rest.context, pool))?.certificate_serial,
    onMessage: rest.onMessage,
    log: rest.log,
  });
}
