// What Google Cloud tells a machine: by questions that the metadata server holds back until something changes, over HTTP.
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../launcher/clock.js';
import { createGoogleMachine } from '../../../launcher/notices/google.js';
import { until } from '../support/until.js';
import { noStop, pendingStop } from './support/documents.js';
import { ask } from './support/ask.js';
import { startService, type Asked, type Service } from './support/service.js';
import { watching, type Watching } from './support/watching.js';

const now = Date.parse('2026-11-24T16:10:00Z');
const quick: Clock = {
  now: () => now,
  monotonic: () => systemClock.monotonic(),
  after: (_wait, callback) => systemClock.after(5, callback),
};
const base = '/computeMetadata/v1/instance';

/** A value of the metadata that is held back until it is not the one of the tag any more. */
class Value {
  private version = 1;
  private readonly waiting: (() => void)[] = [];
  private text: string;
  constructor(text: string) {
    this.text = text;
  }
  readonly reply = (asked: Asked, response: ServerResponse): void => {
    const { searchParams } = new URL(asked.url, 'http://metadata');
    expect(searchParams.get('wait_for_change')).toBe('true');
    expect(asked.headers['metadata-flavor']).toBe('Google');
    const answer = () => response.writeHead(200, { etag: `tag-${String(this.version)}` }).end(this.text);
    if (searchParams.get('last_etag') === `tag-${String(this.version)}`) this.waiting.push(answer);
    else answer();
  };
  get held(): number {
    return this.waiting.length;
  }
  change(text: string): void {
    this.text = text;
    this.version += 1;
    this.release();
  }
  /** As when the time that a question may be held back is over. */
  release(): void {
    for (const answer of this.waiting.splice(0)) answer();
  }
}

let metadata: Service;
let watched: Watching;
let values: { preempted: Value; maintenance: Value; shutdown: Value };
beforeEach(async () => {
  values = { preempted: new Value('FALSE'), maintenance: new Value('NONE'), shutdown: new Value(noStop) };
  metadata = await startService({
    [`GET ${base}/preempted`]: values.preempted.reply,
    [`GET ${base}/maintenance-event`]: values.maintenance.reply,
    [`GET ${base}/shutdown-details/`]: values.shutdown.reply,
  });
  watched = watching(
    createGoogleMachine({ ask, clock: quick, random: () => 0, metadataEndpoint: metadata.url }),
  );
});
afterEach(async () => {
  await watched.end();
  await metadata.close();
});
const allHeld = () =>
  until(() => Object.values(values).every(({ held }) => held === 1), 'all questions to be held back');

describe('a machine of a managed instance group', () => {
  it('waits for changes without asking again and again', async () => {
    await allHeld();
    expect(watched.reports.flat()).toEqual([]);
    expect(metadata.asked).toHaveLength(6);
    values.preempted.release();
    await until(() => metadata.asked.length > 6, 'the next question');
    await allHeld();
    expect(watched.reports).toHaveLength(3);
  });

  it('has half a minute when it is preempted', async () => {
    await allHeld();
    values.preempted.change('TRUE');
    expect(await watched.notices()).toEqual([
      {
        id: 'preempted',
        what: 'Google Cloud takes this spot machine back',
        kind: 'leave',
        deadline: now + 30_000,
      },
    ]);
  });

  it('has as long as its graceful shutdown, counted from its begin', async () => {
    await allHeld();
    values.shutdown.change(pendingStop);
    expect(await watched.notices()).toMatchObject([
      { id: 'shutdown', kind: 'leave', deadline: Date.parse('2026-11-24T17:00:00Z') },
    ]);
  });

  it.each([
    [
      '{"stopState":"PENDING_STOP","requestTimestamp":"2026-11-24T16:05:00Z","maxDuration":{"seconds":"600"}}',
      300,
    ],
    ['{"stopState":"PENDING_STOP","requestTimestamp":"2026-11-24T16:05:00Z","maxDuration":600}', 300],
    ['{"stopState":"PENDING_STOP","maxDuration":"600"}', 600],
  ])('reads %s', async (details, seconds) => {
    values.shutdown.change(details);
    expect(await watched.notices()).toMatchObject([{ deadline: now + seconds * 1000 }]);
  });

  it('leaves without haste when the time is not told', async () => {
    values.shutdown.change('{"stopState":"PENDING_STOP"}');
    expect(await watched.notices()).toMatchObject([{ id: 'shutdown', deadline: null }]);
  });

  it('leaves before a maintenance that ends it, and not before one that moves it', async () => {
    await allHeld();
    values.maintenance.change('MIGRATE_ON_HOST_MAINTENANCE');
    await watched.reported(4);
    expect(watched.reports.at(-1)).toEqual([]);
    await allHeld();
    values.maintenance.change('TERMINATE_ON_HOST_MAINTENANCE');
    expect(await watched.notices()).toMatchObject([{ id: 'maintenance', deadline: now + 60_000 }]);
  });

  it('hears of the rest where there is no graceful shutdown', async () => {
    metadata.replies.delete(`GET ${base}/shutdown-details/`);
    values.preempted.change('TRUE');
    values.shutdown.release();
    expect(await watched.notices()).toHaveLength(1);
    expect(watched.faults).toEqual([]);
  });

  it('has no more time when the same is told again', async () => {
    await allHeld();
    values.preempted.change('TRUE');
    await watched.notices();
    const before = watched.reports.length;
    values.preempted.change('TRUE');
    values.maintenance.change('MIGRATE_ON_HOST_MAINTENANCE');
    await watched.reported(before + 1);
    await allHeld();
    expect(watched.reports).toHaveLength(before + 1);
  });

  it('leaves when it is stopped, also when the time cannot be read', async () => {
    values.shutdown.change('{"stopState":"PENDING_STOP","requestTimestamp":5,"maxDuration":null}');
    expect(await watched.notices()).toMatchObject([{ id: 'shutdown', deadline: null }]);
  });

  it('counts the time of a shutdown by the clock of Google Cloud', async () => {
    metadata.replies.set(`GET ${base}/shutdown-details/`, (_asked, response) => {
      response
        .writeHead(200, { etag: 'new', date: new Date(now - 600_000).toUTCString() })
        .end(
          '{"stopState":"PENDING_STOP","requestTimestamp":"2026-11-24T16:05:00Z","maxDuration":{"seconds":"600"}}',
        );
    });
    values.shutdown.release();
    expect(await watched.notices()).toMatchObject([{ deadline: now + 300_000 + 600_000 }]);
  });

  it('asks again for a value that it could not read', async () => {
    values.shutdown.change('<html>');
    await until(() => watched.faults.length > 1, 'the second fault');
    expect(watched.faults[0]).toContain('the details of the shutdown: expected JSON');
  });
});
