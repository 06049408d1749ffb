// Topics: pool and worker stand where an ACL pattern of any broker finds them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allUpTopics, downTopic, parseTopic, ulidSchema, upTopic } from '../../protocol/topics.js';
import { pool, worker } from './support/messages.js';

const ulid = fc.ulid().filter((text) => ulidSchema.safeParse(text).success);

describe('a topic', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(ulid, ulid, (inPool, ofWorker) => {
        expect(parseTopic(upTopic(inPool, ofWorker))).toEqual({
          pool: inPool,
          direction: 'up',
          worker: ofWorker,
        });
        expect(parseTopic(downTopic(inPool, ofWorker))).toEqual({
          pool: inPool,
          direction: 'down',
          worker: ofWorker,
        });
      }),
    );
  });

  it('has the pool at a level of its own, before the direction', () => {
    expect(upTopic(pool, worker).split('/').slice(2, 4)).toEqual([pool, 'up']);
    expect(downTopic(pool, worker).split('/').slice(2, 4)).toEqual([pool, 'down']);
  });

  it('upwards is what the control plane subscribes to', () => {
    const pattern = new RegExp(`^${allUpTopics.replaceAll('+', '[^/]+')}$`);
    expect(upTopic(pool, worker)).toMatch(pattern);
    expect(downTopic(pool, worker)).not.toMatch(pattern);
  });

  it.each([
    '',
    'poolwright/v1',
    `poolwright/v2/${pool}/up/${worker}`,
    `poolwright/v1/${pool}/sideways/${worker}`,
    `poolwright/v1/${pool}/up/${worker}/more`,
    `poolwright/v1/${pool}/up/+`,
    `poolwright/v1/#`,
    `poolwright/v1/${pool.toLowerCase()}/up/${worker}`,
    `/poolwright/v1/${pool}/up/${worker}`,
  ])('is not %j', (topic) => {
    expect(parseTopic(topic)).toBeUndefined();
  });
});
