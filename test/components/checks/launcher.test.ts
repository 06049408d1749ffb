import { describe, expect, it } from 'vitest';
import { checkLauncher } from '../../../components/checks/launcher.js';
import { faultsOf } from '../support/faults.js';

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
