import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { environmentOf } from '../../../launcher/run/environment.js';
import type { PassedVariable } from '../../../launcher/settings/settings.js';
import type { Assignment } from '../../../protocol/messages.js';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function variables(
  passed: readonly PassedVariable[],
  own: NodeJS.ProcessEnv,
  stack: Readonly<Record<string, string>>,
  runType: Assignment['runType'] = 'TRACKED',
) {
  const assignment = {
    bulk: { token: 'token' },
    run: 'run',
    runType,
    stack: 'stack',
    environment: Object.entries(stack).map(([name, text]) => ({ name, value: { kind: 'plain', text } })),
  } as unknown as Assignment;
  return environmentOf(assignment, { passedVariables: passed, maskedVariables: [] }, privateKey, own)
    .variables;
}

const all = (...names: string[]): PassedVariable[] => names.map((name) => ({ name, runs: 'all' }));

describe('the environment of a run', () => {
  it('has what the launcher passes on, by kind of run', () => {
    const passed: PassedVariable[] = [
      { name: 'BOTH', runs: 'all' },
      { name: 'PLAN_ROLE', runs: 'read' },
      { name: 'APPLY_ROLE', runs: 'write' },
    ];
    const own = { BOTH: '1', PLAN_ROLE: '2', APPLY_ROLE: '3', OTHER: '4' };
    expect(variables(passed, own, {}, 'PROPOSED')).toMatchObject({ BOTH: '1', PLAN_ROLE: '2' });
    const written = variables(passed, own, {}, 'TRACKED');
    expect(written).toMatchObject({ BOTH: '1', APPLY_ROLE: '3' });
    expect(written).not.toHaveProperty('PLAN_ROLE');
    expect(written).not.toHaveProperty('OTHER');
  });

  it("has the stack's variables where both name one", () => {
    expect(
      variables(all('SSL_CERT_FILE'), { SSL_CERT_FILE: '/worker' }, { SSL_CERT_FILE: '/stack' }),
    ).toMatchObject({ SSL_CERT_FILE: '/stack' });
  });

  it('has no proxy of the launcher in one spelling beside one of the stack in the other', () => {
    const passed = all('HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy');
    const own = { HTTPS_PROXY: 'worker', https_proxy: 'worker', NO_PROXY: 'direct', no_proxy: 'direct' };
    const upper = variables(passed, own, { HTTPS_PROXY: 'stack' });
    expect(upper).toMatchObject({ HTTPS_PROXY: 'stack', NO_PROXY: 'direct', no_proxy: 'direct' });
    expect(upper).not.toHaveProperty('https_proxy');
    const lower = variables(passed, own, { https_proxy: 'stack' });
    expect(lower['https_proxy']).toBe('stack');
    expect(lower).not.toHaveProperty('HTTPS_PROXY');
    expect(variables(passed, own, { HTTPS_PROXY: 'a', https_proxy: 'b' })).toMatchObject({
      HTTPS_PROXY: 'a',
      https_proxy: 'b',
    });
  });
});
