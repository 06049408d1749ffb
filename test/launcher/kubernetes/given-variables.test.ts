// Variables of the containers of a run pod that reach the run.
import { expect, test } from 'vitest';
import { givenVariables } from '../../../launcher/kubernetes/pod/given-variables.js';

const server = {
  SPACELIFT_WHITELIST_ENVS: 'ALL, ro_READ, wo_WRITE, ABSENT',
  SPACELIFT_MASK_ENVS: 'ALL',
  ALL: 'all',
  READ: 'read',
  WRITE: 'write',
  OTHER: 'stays',
};

test('of launcher-grpc, those that it names', () => {
  const { environment, passed, masked } = givenVariables({ PATH: '/bin' }, server, 'TRACKED');
  expect(environment).toEqual({ PATH: '/bin', ALL: 'all', READ: 'read', WRITE: 'write' });
  expect(passed).toContainEqual({ name: 'READ', runs: 'read' });
  expect(masked).toEqual(['ALL']);
});

test('of worker, all but those for the other kind of run', () => {
  const worker = {
    SPACELIFT_WHITELIST_ENVS: 'ALL,ro_READ,wo_WRITE',
    SPACELIFT_MASK_ENVS: 'SECRET',
    SECRET: 's',
  };
  expect(givenVariables(worker, {}, 'TRACKED')).toMatchObject({ withheld: ['READ'], masked: ['SECRET'] });
  expect(givenVariables(worker, {}, 'PROPOSED').withheld).toEqual(['WRITE']);
});

test('a list that is none is refused', () => {
  expect(() => givenVariables({ SPACELIFT_WHITELIST_ENVS: 'A B' }, {}, 'TRACKED')).toThrow(
    /names of environment/,
  );
});
