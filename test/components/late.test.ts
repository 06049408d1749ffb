import * as pulumi from '@pulumi/pulumi';
import { describe, expect, it } from 'vitest';
import type { WorkerPoolArgs } from '../../components/arguments.js';
import { checkEarly, secretsIn, settled, together } from '../../components/late.js';
import { valueOf } from './support/deployment.js';
import type { Fault } from '../../protocol/errors.js';

describe('arguments that come late', () => {
  it('are refused where they decide what is made, and taken elsewhere', () => {
    const faults: Fault[] = [];
    const args = { machineType: pulumi.output('t3.small'), size: Promise.resolve({ min: 1, max: 1 }) };
    checkEarly({ ...(args as unknown as WorkerPoolArgs), token: pulumi.output('t'), spot: true }, faults);
    expect(faults.map(({ path }) => path)).toEqual(['size', 'machineType']);
  });

  it('are put together with what is there, however deep they are', async () => {
    const given = pulumi.output('a').apply(() => ['b', pulumi.output('c')]);
    const values = [1, pulumi.output(2), { three: pulumi.output(3) }, settled(given)] as const;
    const whole = together(values, (all) => JSON.stringify(all));
    expect((await valueOf(whole)).value).toBe('[1,2,{"three":3},["b","c"]]');
    expect((await valueOf(together([1, 2], ([one, two]) => one + two))).value).toBe(3);
    const secret = together([pulumi.output(1), pulumi.secret(2)], () => 'of a secret');
    expect(await pulumi.isSecret(secret)).toBe(true);
    expect(settled({ plain: ['a'] })).toEqual({ plain: ['a'] });
  });

  it('are found by their whole path when they are secret', async () => {
    const launcher = {
      environment: { REGION: 'r', KEY: pulumi.secret('k'), OTHER: pulumi.output('o') },
      maskEnvs: ['A', pulumi.secret('B')],
      privateVcsMappings: [{ name: 'a', baseEndpoint: pulumi.secret('https://b') }],
    };
    expect(await secretsIn(launcher, 'launcher')).toEqual([
      'launcher.environment.KEY',
      'launcher.maskEnvs[1]',
      'launcher.privateVcsMappings[0].baseEndpoint',
    ]);
    expect(await secretsIn(pulumi.secret(['pem']), 'extraCaCertificates')).toEqual(['extraCaCertificates']);
    expect(await secretsIn(undefined, 'proxy')).toEqual([]);
  });
});
