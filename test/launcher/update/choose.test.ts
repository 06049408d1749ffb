// Which version is started.
import { describe, expect, it } from 'vitest';
import { choose, mostStarts, type Shelved } from '../../../launcher/update/choose.js';
import { createOperator, makeRelease } from './support.js';

const operator = createOperator();
const released = (version: string, at: number) => {
  const { release, signed } = makeRelease(operator, version, { version, released: at });
  return { ...release, signed };
};
const trial = (version: string, at: number, rest: { starts: number; failure: string | null }) => ({
  version,
  released: at,
  ...rest,
});
const empty: Shelved = { next: undefined, good: undefined, trial: undefined, runLeft: false };

describe('choose', () => {
  it('takes the launcher as it was deployed when there is nothing else', () => {
    expect(choose(empty)).toEqual({ release: null, probation: false, newest: 0, failed: null });
  });

  it('takes the good one, at every start', () => {
    const good = released('good', 5);
    expect(choose({ ...empty, good })).toEqual({ release: good, probation: false, newest: 5, failed: null });
  });

  it('puts a later one on probation', () => {
    const [good, next] = [released('good', 5), released('next', 6)];
    expect(choose({ ...empty, good, next })).toMatchObject({ release: next, probation: true });
  });

  it.each([4, 5])('takes no release of %i over a good one of 5', (at) => {
    const good = released('good', 5);
    expect(choose({ ...empty, good, next: released('next', at) })).toMatchObject({
      release: good,
      probation: false,
    });
  });

  it('does not try again what was given up, and tells why', () => {
    const next = released('next', 6);
    const given = trial('next', 6, { starts: 1, failure: 'it crashed' });
    expect(choose({ ...empty, next, trial: given })).toEqual({
      release: null,
      probation: false,
      newest: 6,
      failed: { version: 'next', reason: 'it crashed' },
    });
  });

  it('tries the one after it', () => {
    const given = trial('next', 6, { starts: 1, failure: 'it crashed' });
    expect(choose({ ...empty, next: released('mended', 7), trial: given })).toMatchObject({
      probation: true,
      failed: { version: 'next' },
    });
  });

  it('starts one without an outcome a few times, and then no more', () => {
    const next = released('next', 6);
    const after = (starts: number) =>
      choose({ ...empty, next, trial: trial('next', 6, { starts, failure: null }) });
    expect(after(mostStarts - 1).release).toEqual(next);
    expect(after(mostStarts)).toMatchObject({ release: null, newest: 6, failed: { version: 'next' } });
  });

  it('leaves a run that was left to the version that is known to work', () => {
    const good = released('good', 5);
    const found = choose({ ...empty, good, next: released('next', 6), runLeft: true });
    expect(found).toMatchObject({ release: good, probation: false, newest: 5 });
  });
});
