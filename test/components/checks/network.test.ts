import { describe, expect, it } from 'vitest';
import { checkCertificates, checkProxy } from '../../../components/checks/network.js';
import { faultsOf } from '../support/faults.js';

describe('the way out', () => {
  it('leads over proxies by their address, without a password that would be quoted', () => {
    const proxies = faultsOf((faults) => {
      checkProxy({ http: 'proxy:3128', https: 'http://user:hidden@proxy:3128' }, faults);
    });
    expect(proxies.map((fault) => fault.split(':')[0])).toEqual(['proxy.http', 'proxy.https']);
    expect(proxies.join()).not.toContain('hidden');
  });

  it('trusts authorities that are certificates', () => {
    expect(
      faultsOf((faults) => {
        checkCertificates(['x'], faults);
      }),
    ).toEqual([expect.stringContaining('extraCaCertificates[0]: expected a certificate in PEM')]);
  });
});
