import { describe, expect, it } from 'vitest';
import {
  checkCredentials,
  checkCredentialsGiven,
  encodedKey,
} from '../../../components/checks/credentials.js';
import { faultsOf } from '../support/faults.js';
import { poolCredentials } from '../support/pool-credentials.js';

describe('credentials', () => {
  it('are a secret, or token and key, and not both', () => {
    const given = (token: boolean, privateKey: boolean, credentials: boolean) =>
      faultsOf((faults) => {
        checkCredentialsGiven({ token, privateKey, credentials }, faults);
      }).map((fault) => fault.split(':')[0]);
    expect(given(true, true, false)).toEqual([]);
    expect(given(false, false, true)).toEqual([]);
    expect(given(false, false, false)).toEqual(['token', 'privateKey']);
    expect(given(true, false, false)).toEqual(['privateKey']);
    expect(given(true, false, true)).toEqual(['token']);
  });

  it('belong together, and no message quotes them', async () => {
    const [own, other] = [await poolCredentials(), await poolCredentials()];
    const check = (
      ...args: Parameters<typeof checkCredentials> extends [infer D, infer P, unknown] ? [D, P] : never
    ) =>
      faultsOf((faults) => {
        checkCredentials(...args, faults);
      });
    expect(check('bundled', own)).toEqual([]);
    expect(check('bundled', { ...own, privateKey: encodedKey(own.privateKey) })).toEqual([]);
    expect(check('bundled', { ...own, privateKey: other.privateKey })).toEqual([
      expect.stringContaining('does not belong'),
    ]);
    const nonsense = check('bundled', { token: 'secret nonsense', privateKey: 'secret nonsense' });
    expect(nonsense.map((fault) => fault.split(':')[0])).toEqual(['token', 'privateKey']);
    expect(nonsense.join()).not.toContain('secret nonsense');
  });

  it('of another control plane are checked as far as they can be read', async () => {
    const [own, other] = [await poolCredentials(), await poolCredentials()];
    const { certificate } = JSON.parse(Buffer.from(own.token, 'base64').toString()) as {
      certificate: string;
    };
    const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
    const foreign = token({
      broker: { endpoint: 'mqtts://x', cert: Buffer.from(certificate).toString('base64') },
    });
    const check = (text: string, privateKey: string) =>
      faultsOf((faults) => {
        checkCredentials('hosted', { token: text, privateKey }, faults);
      });
    expect(check(foreign, own.privateKey)).toEqual([]);
    expect(check(foreign, other.privateKey)).toEqual([expect.stringContaining('does not belong')]);
    expect(check(token({ broker: { endpoint: 'mqtts://x' } }), own.privateKey)).toEqual([]);
    expect(check(token({}), own.privateKey)).toEqual([expect.stringContaining('broker.endpoint')]);
  });
});
