// What Azure schedules for an instance of a scale set, and what the instance answers: on documents as Azure shows them,
// over HTTP.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../launcher/clock.js';
import { createAzureMachine } from '../../../launcher/notices/azure.js';
import type { CloudMachine } from '../../../launcher/notices/notice.js';
import { authorizationFailed, azureCompute, azureToken, scheduledEvents } from './support/documents.js';
import { ask } from './support/ask.js';
import { startService, type Service } from './support/service.js';
import { watching, type Watching } from './support/watching.js';

const events = 'GET /metadata/scheduledevents';
const instance =
  '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/workers/providers/Microsoft.Compute/virtualMachineScaleSets/builds/virtualMachines/3';
const now = Date.parse('2026-11-24T17:00:00Z');
/** As fast as the looks can be, at a fixed time. */
const quick: Clock = {
  now: () => now,
  monotonic: () => systemClock.monotonic(),
  after: (_wait, callback) => systemClock.after(5, callback),
};
const signal = AbortSignal.timeout(60_000);

let metadata: Service;
let manager: Service;
let watched: Watching | undefined;
beforeEach(async () => {
  metadata = await startService({
    'GET /metadata/instance/compute': azureCompute,
    'GET /metadata/identity/oauth2/token': azureToken,
    [events]: scheduledEvents(),
    'POST /metadata/scheduledevents': '',
  });
  manager = await startService({ [`PUT ${instance}`]: { status: 202, text: '' } });
});
afterEach(async () => {
  await watched?.end();
  watched = undefined;
  await Promise.all([metadata.close(), manager.close()]);
});

const machine = (): CloudMachine =>
  createAzureMachine({
    ask,
    clock: quick,
    random: () => 0,
    metadataEndpoint: metadata.url,
    apiEndpoint: manager.url,
    clientId: '00000000-aaaa',
  });
const watch = () => (watched = watching(machine()));
const answers = () =>
  metadata.asked.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body) as unknown);

describe('an instance of a scale set', () => {
  it('has nothing to do when nothing is scheduled, or only for other machines', async () => {
    const own = watch();
    await own.reported(2);
    metadata.replies.set(events, scheduledEvents({ type: 'Terminate', resources: ['builds_4'] }));
    await own.reported(5);
    expect(own.reports.flat()).toEqual([]);
    expect(metadata.asked.every(({ headers }) => headers['metadata'] === 'true')).toBe(true);
  });

  it.each([
    ['Terminate', /^Azure deletes this instance/],
    ['Preempt', /^Azure takes this spot instance back/],
    ['Reboot', /^Azure restarts this machine/],
    ['Redeploy', /^Azure moves this machine/],
    ['Unheard', /^Azure announces Unheard for this machine/],
  ])('leaves before %s, and lets it begin when asked to', async (type, what) => {
    metadata.replies.set(events, scheduledEvents({ type, notBefore: 'Tue, 24 Nov 2026 17:14:30 GMT' }));
    const [notice] = await watch().notices();
    expect(notice).toMatchObject({ kind: 'leave', deadline: now + 870_000 });
    expect(notice!.what).toMatch(what);
    expect(answers()).toEqual([]);
    await notice!.acknowledge!(signal);
    expect(answers()).toEqual([{ StartRequests: [{ EventId: 'C7061BAC-AFDC-4513-B24B-AA5F13A16123-0' }] }]);
  });

  it('stays when it is only halted for a moment', async () => {
    metadata.replies.set(
      events,
      scheduledEvents({ type: 'Freeze', notBefore: 'Tue, 24 Nov 2026 17:15:00 GMT' }),
    );
    expect(await watch().notices()).toMatchObject([{ kind: 'pause' }]);
  });

  it('has no time left when an event has begun', async () => {
    metadata.replies.set(events, scheduledEvents({ type: 'Terminate', status: 'Started' }));
    const [notice] = await watch().notices();
    expect(notice).toMatchObject({ what: 'Azure deletes this instance now', deadline: now });
    expect(notice!.acknowledge).toBeUndefined();
  });

  it('does not let an event begin that others share: they may have runs', async () => {
    metadata.replies.set(
      events,
      scheduledEvents({
        type: 'Reboot',
        resources: ['builds_3', 'builds_7'],
        notBefore: 'Tue, 24 Nov 2026 17:15:00 GMT',
      }),
    );
    const [notice] = await watch().notices();
    expect(notice!.kind).toBe('leave');
    expect(notice!.acknowledge).toBeUndefined();
  });

  it('protects itself from scale-in, upgrades and repairs by its own identity', async () => {
    await machine().protection!.set(true, signal);
    await machine().protection!.set(false, signal);
    const [on, off] = manager.asked;
    expect(on).toMatchObject({ method: 'PUT', url: `${instance}?api-version=2024-07-01` });
    expect(on!.headers.authorization).toBe('Bearer managed-identity-token');
    expect([on, off].map((request) => JSON.parse(request!.body) as unknown)).toEqual(
      [true, false].map((protect) => ({
        location: 'westeurope',
        properties: {
          protectionPolicy: { protectFromScaleIn: protect, protectFromScaleSetActions: protect },
        },
      })),
    );
    const token = metadata.asked.find(({ url }) => url.includes('oauth2'))!;
    expect(new URL(token.url, metadata.url).searchParams.get('resource')).toBe(
      'https://management.azure.com/',
    );
    expect(new URL(token.url, metadata.url).searchParams.get('client_id')).toBe('00000000-aaaa');
  });

  it('says why it may not', async () => {
    manager.replies.set(`PUT ${instance}`, { status: 403, text: authorizationFailed });
    await expect(machine().protection!.set(true, signal)).rejects.toThrow(
      /^protection of the instance: AuthorizationFailed: .*virtualMachines\/write/,
    );
    manager.replies.set(`PUT ${instance}`, { status: 502, text: '<html>' });
    await expect(machine().protection!.set(true, signal)).rejects.toThrow(/HTTP 502$/);
  });

  it('hears of an event beside one that it does not understand, and complains of that once', async () => {
    const odd = JSON.parse(scheduledEvents({ type: 'Terminate' })) as { Events: Record<string, unknown>[] };
    odd.Events.unshift({ ...odd.Events[0], Resources: null });
    metadata.replies.set(events, JSON.stringify(odd));
    const own = watch();
    expect(await own.notices()).toHaveLength(1);
    await own.reported(3);
    expect(own.faults).toEqual([expect.stringContaining('a scheduled event, Resources:')]);
  });

  it('waits long for the first answer only: while it waits, it is deaf', async () => {
    const waits: (number | undefined)[] = [];
    const own = (watched = watching(
      createAzureMachine({
        ask: (question, given) => {
          if (question.url.includes('scheduledevents')) waits.push(question.timeout);
          return ask(question, given);
        },
        clock: quick,
        random: () => 0,
        metadataEndpoint: metadata.url,
        apiEndpoint: null,
        clientId: null,
      }),
    ));
    await own.reported(3);
    expect(waits.slice(0, 3)).toEqual([130_000, 10_000, 10_000]);
  });

  it('counts the time of an event by the clock of Azure', async () => {
    const notBefore = 'Tue, 24 Nov 2026 17:14:30 GMT';
    metadata.replies.set(events, (_asked, response) => {
      response
        .writeHead(200, { date: new Date(now - 600_000).toUTCString() })
        .end(scheduledEvents({ type: 'Reboot', notBefore }));
    });
    const [notice] = await watch().notices();
    expect(notice!.deadline).toBe(Date.parse(notBefore) + 600_000);
  });
});
