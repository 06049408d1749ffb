import { describe, expect, it } from 'vitest';
import {
  checkCertificates,
  checkCredentials,
  checkCredentialsGiven,
  checkDisk,
  checkLauncher,
  checkMachine,
  checkProxy,
  checkSize,
  checkWord,
  encodedKey,
} from '../../components/checks.js';
import type { Fault } from '../../protocol/errors.js';
import { poolCredentials } from './support/pool-credentials.js';

/** The faults that a check finds, as `path: reason`. */
function faultsOf(check: (faults: Fault[]) => unknown): string[] {
  const faults: Fault[] = [];
  check(faults);
  return faults.map(({ path, reason }) => `${path}: ${reason}`);
}

describe('sizes', () => {
  it('follow each other where they are not given', () => {
    const size = (given?: Parameters<typeof checkSize>[0]) => checkSize(given, []);
    expect(size()).toEqual({ min: 1, max: 1, desired: 1 });
    expect(size({ min: 0, max: 5 })).toEqual({ min: 0, max: 5, desired: 0 });
    expect(size({ min: 3 })).toEqual({ min: 3, max: 3, desired: 3 });
  });

  it.each([
    [{ min: -1, max: 1 }, 'size.min: expected a whole number from 0, got -1'],
    [{ min: 0, max: 0 }, 'size.max: expected a whole number from 1, got 0'],
    [{ min: 1.5, max: 2 }, 'size.min: expected a whole number from 0, got 1.5'],
    [{ min: 3, max: 2 }, 'size.max: is 2, below size.min (3)'],
    [
      { min: 1, max: 2, desired: 3 },
      'size.desired: is 3, expected a number from size.min (1) to size.max (2)',
    ],
  ])('such as %j are refused', (size, fault) => {
    expect(faultsOf((faults) => checkSize(size, faults))).toContain(fault);
  });
});

describe('machines', () => {
  it.each([
    [
      'aws',
      't3.micro',
      /^machineType: t3\.micro has 2 vCPU and 1 GB; a worker needs at least 2 vCPU and 2 GB/,
    ],
    ['aws', 'm7g.medium', /has 1 vCPU and 4 GB/],
    ['azure', 'Standard_B1ms', /has 1 vCPU and 2 GB/],
    ['google', 'e2-micro', /has 2 vCPU and 1 GB/],
  ] as const)('that are too small on %s are refused by name: %s', (cloud, machineType, fault) => {
    expect(faultsOf((faults) => checkMachine(cloud, { machineType }, faults, []))).toEqual([
      expect.stringMatching(fault),
    ]);
  });

  it('have the architecture of their type, which must not be contradicted', () => {
    expect(checkMachine('aws', { machineType: 'c7g.large' }, [], [])).toMatchObject({
      architecture: 'arm64',
    });
    const contradiction = { machineType: 'c7g.large', architecture: 'x86_64' };
    expect(faultsOf((faults) => checkMachine('aws', contradiction, faults, []))).toEqual([
      'architecture: is x86_64, but c7g.large is arm64. Leave one of the two out',
    ]);
    expect(faultsOf((faults) => checkMachine('aws', { architecture: 'amd64' }, faults, []))).toEqual([
      'architecture: expected "x86_64" or "arm64", got "amd64"',
    ]);
  });

  it('that nobody knows are taken with a warning', () => {
    const warnings: string[] = [];
    expect(
      faultsOf((faults) =>
        checkMachine('google', { machineType: 'z9-huge', architecture: 'arm64' }, faults, warnings),
      ),
    ).toEqual([]);
    expect(warnings).toHaveLength(1);
  });
});

describe('the launcher', () => {
  it.each([
    [{ runTimeout: '70' }, /^launcher\.runTimeout: expected a duration/],
    [{ logsTimeout: '0s' }, 'launcher.logsTimeout: must be longer than 0'],
    [{ workerExtraMounts: ['/a:/b', 'a:/b'] }, /^launcher\.workerExtraMounts\[1\]: expected "\/host\/path/],
    [{ workerRoExtraMounts: ['/a:/b,/c:/d'] }, /^launcher\.workerRoExtraMounts\[0\]/],
    [{ maskEnvs: ['A B'] }, /^launcher\.maskEnvs\[0\]: expected the name of a variable/],
    [{ whitelistEnvs: ['1A'] }, /^launcher\.whitelistEnvs\[0\]/],
    [{ metadata: { 'cost-centre': '1' } }, /^launcher\.metadata\.cost-centre: a key has letters/],
    [{ environment: { 'a-b': '1' } }, 'launcher.environment.a-b: is not the name of a variable'],
    [{ environment: { SPACELIFT_POOL_PRIVATE_KEY: 'x' } }, /travels by reference only/],
    [{ defaultRunnerImage: 'an image' }, /^launcher\.defaultRunnerImage/],
    [
      { privateVcsMappings: [{ name: 'a', baseEndpoint: 'git.internal' }] },
      /^launcher\.privateVcsMappings\[0\]\.baseEndpoint/,
    ],
    [{ privateVcsMappings: [{ name: 'a', baseEndpoint: 'https://u:p@git' }] }, /without credentials/],
    [
      { distribution: 'docker' },
      /^launcher\.distribution: expected "bundled" or "hosted" or "selfHosted", got "docker"/,
    ],
    [
      { distribution: 'selfHosted', binarySha256: 'AB' },
      /^launcher\.binarySha256: expected 64 hexadecimal digits/,
    ],
    [{ binaryLocation: 's3://a/b' }, /^launcher\.binaryLocation: has no effect unless/],
  ])('is refused with %j', (options, fault) => {
    expect(
      faultsOf((faults) => {
        checkLauncher(options, faults);
      }),
    ).toEqual([typeof fault === 'string' ? fault : expect.stringMatching(fault)]);
  });

  it('may have a policy', () => {
    const options = { runInitializationPolicy: 'package spacelift' };
    expect(
      faultsOf((faults) => {
        checkLauncher(options, faults);
      }),
    ).toEqual([]);
  });
});

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

describe('the rest', () => {
  it('is checked with its place', () => {
    expect(faultsOf((faults) => checkDisk(10, faults))).toEqual([
      'diskSizeGb: expected a whole number from 20 to 16384, got 10',
    ]);
    expect(faultsOf((faults) => checkWord('runAs', 'me', ['spacelift', 'root'], faults))).toEqual([
      'runAs: expected "spacelift" or "root", got "me"',
    ]);
    const proxies = faultsOf((faults) => {
      checkProxy({ http: 'proxy:3128', https: 'http://user:hidden@proxy:3128' }, faults);
    });
    expect(proxies.map((fault) => fault.split(':')[0])).toEqual(['proxy.http', 'proxy.https']);
    expect(proxies.join()).not.toContain('hidden');
    expect(
      faultsOf((faults) => {
        checkCertificates(['x'], faults);
      }),
    ).toEqual([expect.stringContaining('extraCaCertificates[0]: expected a certificate in PEM')]);
  });
});
