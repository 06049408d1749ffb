import { expect, it } from 'vitest';
import { checkWord } from '../../../components/checks/values.js';
import { faultsOf } from '../support/faults.js';

it('a word that is not among the expected ones is refused', () => {
  expect(faultsOf((faults) => checkWord('runAs', 'me', ['spacelift', 'root'], faults))).toEqual([
    'runAs: expected "spacelift" or "root", got "me"',
  ]);
});
