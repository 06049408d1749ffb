// Checks of what stands between workers and the network: proxies, and the authorities that they trust.
import type { Fault } from '../../protocol/errors.js';
import type { ProxyArgs } from '../arguments.js';
import type { Known } from '../known.js';
import { each } from './values.js';

/** `instead` says where a proxy with a password belongs. */
export function checkProxy(
  proxy: Known<ProxyArgs> | undefined,
  faults: Fault[],
  instead = 'and user data is no place for one; export the variable in startupScript',
): void {
  for (const name of ['http', 'https'] as const) {
    const value = proxy?.[name];
    if (typeof value !== 'string') continue;
    const path = `proxy.${name}`;
    if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
      faults.push({ path, reason: 'expected an address such as "http://proxy.internal:3128"' });
    } else if (new URL(value).password !== '') {
      faults.push({
        path,
        reason: `holds a password, ${instead}`,
      });
    }
  }
}

export function checkCertificates(certificates: unknown, faults: Fault[]): void {
  each(certificates, (pem, index) => {
    if (/^-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/.test(pem.trim())) return;
    faults.push({
      path: `extraCaCertificates[${index}]`,
      reason: 'expected a certificate in PEM ("-----BEGIN CERTIFICATE-----")',
    });
  });
}
