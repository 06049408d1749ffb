// What the control plane brings along to a broker elsewhere: who it is, and whom it trusts.
import { readFile } from 'node:fs/promises';
import { issueClientCertificate } from '../../protocol/certificates.js';
import type { BrokerAddress } from '../../protocol/endpoint.js';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import type { Places } from '../foundation.js';
import type { AuthorityFiles } from '../pools/authority.js';
import type { Broker } from './broker.js';
import type { RemoteBrokerOptions } from './remote.js';

/** The common name that the broker's access rules give its rights to. */
export const controlPlaneName = 'control-plane';

/** PEM of every certificate in BROKER_CA; pools' tokens hold them, too. Throws INVALID_ARGUMENT. */
export async function brokerAuthorities({ brokerCaFile }: Places): Promise<string[]> {
  if (brokerCaFile === undefined) return [];
  const text = await read(brokerCaFile);
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length > 0 && found.length <= 7) return found.map((pem) => `${pem}\n`);
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    `Expected 1 to 7 certificates (PEM) in BROKER_CA, ${brokerCaFile}, found ${String(found.length)}.`,
  );
}

/** Host and port of BROKER_URL. */
export function addressOf(brokerUrl: string): BrokerAddress {
  const { hostname, port } = new URL(brokerUrl);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 8883 : Number(port) };
}

/** Throws as connectBroker does; INVALID_ARGUMENT for a file that cannot be read. */
export async function connectElsewhere(
  places: Places & { readonly brokerUrl: string },
  files: AuthorityFiles,
  authorities: readonly string[],
  now: number,
  rest: Pick<RemoteBrokerOptions, 'clientId' | 'onMessage' | 'onLine' | 'log' | 'onProgress'>,
): Promise<Broker> {
  const { brokerUrl, brokerCertFile, brokerKeyFile } = places;
  const identity =
    brokerCertFile === undefined || brokerKeyFile === undefined
      ? await issueClientCertificate({ authority: files.authority, name: controlPlaneName, now })
      : { certificate: await read(brokerCertFile), privateKey: await read(brokerKeyFile) };
  // Only here: an embedded start does not load the client.
  const { connectBroker } = await import('./remote.js');
  return connectBroker({
    ...rest,
    url: brokerUrl,
    certificate: identity.certificate,
    key: identity.privateKey,
    authorities: [files.authority.certificate, ...authorities],
  });
}

function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PoolwrightError('INVALID_ARGUMENT', `The file ${file} cannot be read (${messageOf(error)}).`);
  });
}
