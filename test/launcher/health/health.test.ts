// When a worker counts as of no use, and what it says of itself on the loopback address.
import { afterEach, describe, expect, it } from 'vitest';
import { startHealthEndpoint, type HealthEndpoint } from '../../../launcher/health/endpoint.js';
import { watchConnection } from '../../../launcher/health/watch.js';
import { refusalOf } from '../../protocol/support/refusals.js';
import { manualClock } from '../support/manual-clock.js';

const minute = 60_000;

function watch(limit: number | null = 30 * minute) {
  const clock = manualClock();
  const overs: { after: number; reason: string }[] = [];
  const watched = watchConnection({ clock, limit, onOver: (after, reason) => overs.push({ after, reason }) });
  return { clock, overs, watched };
}

describe('a worker', () => {
  it('is of no use when it never connects', () => {
    const { clock, overs, watched } = watch();
    watched.onDisconnected('no such host');
    clock.advance(30 * minute - 1);
    expect(overs).toEqual([]);
    expect(watched.state()).toMatchObject({ healthy: true, connected: false, reason: 'no such host' });
    clock.advance(1);
    expect(overs).toEqual([{ after: 30 * minute, reason: 'no such host' }]);
    expect(watched.state()).toMatchObject({ healthy: false, forSeconds: 1800 });
  });

  it('counts from the moment that the line broke, not from every try', () => {
    const { clock, overs, watched } = watch();
    clock.advance(20 * minute);
    watched.onConnected();
    clock.advance(60 * minute);
    watched.onDisconnected('first');
    clock.advance(29 * minute);
    watched.onDisconnected('last');
    expect(overs).toEqual([]);
    clock.advance(minute);
    expect(overs).toEqual([{ after: 30 * minute, reason: 'last' }]);
  });

  it('begins anew when it was connected in between', () => {
    const { clock, overs, watched } = watch();
    clock.advance(29 * minute);
    watched.onConnected();
    watched.onDisconnected('cut');
    clock.advance(29 * minute);
    expect(overs).toEqual([]);
    expect(watched.state().healthy).toBe(true);
  });

  it('is kept as long as it has a run, and is of no use right after it', () => {
    const { clock, overs, watched } = watch();
    watched.onConnected();
    watched.onRunStarted();
    watched.onDisconnected('cut');
    clock.advance(90 * minute);
    expect(overs).toEqual([]);
    expect(watched.state()).toMatchObject({ healthy: true, busy: true });
    watched.onRunOver();
    expect(overs).toEqual([{ after: 90 * minute, reason: 'cut' }]);
  });

  it('says so once, and never where there is no limit or when it is ending', () => {
    const once = watch();
    once.clock.advance(90 * minute);
    once.watched.onRunStarted();
    once.watched.onRunOver();
    expect(once.overs).toHaveLength(1);
    const never = watch(null);
    never.clock.advance(10_000 * minute);
    expect(never.overs).toEqual([]);
    expect(never.watched.state().healthy).toBe(true);
    const ending = watch();
    ending.watched.close();
    ending.clock.advance(90 * minute);
    expect(ending.overs).toEqual([]);
  });
});

describe('the health endpoint', () => {
  const endpoints: HealthEndpoint[] = [];
  afterEach(() => {
    for (const endpoint of endpoints.splice(0)) endpoint.close();
  });
  const state = { healthy: true, connected: true, busy: false, forSeconds: 3, reason: null };

  it('answers with the state, and 503 when the worker should be replaced', async () => {
    let now: Parameters<typeof startHealthEndpoint>[1] = () => state;
    const endpoint = await startHealthEndpoint(0, () => now());
    endpoints.push(endpoint);
    const url = `http://127.0.0.1:${String(endpoint.port)}`;
    const good = await fetch(`${url}/health`);
    expect(good.status).toBe(200);
    expect(await good.json()).toEqual({ ...state, ApplicationHealthState: 'Healthy' });
    now = () => ({ ...state, healthy: false, connected: false, reason: 'cut' });
    const bad = await fetch(`${url}/health?now`);
    expect(bad.status).toBe(503);
    expect(await bad.json()).toMatchObject({ ApplicationHealthState: 'Unhealthy', reason: 'cut' });
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}/health`, { method: 'POST' })).status).toBe(404);
  });

  it('names the port that it cannot have', async () => {
    const first = await startHealthEndpoint(0, () => state);
    endpoints.push(first);
    const error = await refusalOf(startHealthEndpoint(first.port, () => state));
    expect(error.code).toBe('PORT_IN_USE');
    expect(error.message).toContain(`127.0.0.1:${String(first.port)}`);
  });
});
