// The launcher's last word to the control plane.
import { describe, expect, it } from 'vitest';
import { startLauncher } from '../../launcher/launcher.js';
import type { ConnectionListener } from '../../launcher/connection/connection.js';
import { PoolwrightError } from '../../protocol/errors.js';
import { assignment } from '../protocol/support/messages.js';
import { recordedLog } from './support/log.js';

describe('a launcher that is told to end twice', () => {
  it('gives the second word as its reason: it is what is told of a run whose result did not get through', async () => {
    let listener: ConnectionListener | undefined;
    let goodbye = '';
    let unavailable: string | null = null;
    const states: unknown[] = [];
    const drain = (drained: boolean) => ({ ...assignment, type: 'drain' as const, drained });
    let over: () => void = () => undefined;
    const launcher = startLauncher({
      connect: (_status, given) => {
        listener = given;
        return {
          start: () => undefined,
          report: () => Promise.resolve(),
          now: () => 0,
          end: (reason) => {
            goodbye = reason;
            return Promise.resolve();
          },
        };
      },
      startAttempt: ({ run, attempt }) => ({
        run,
        attempt,
        begun: true,
        end: () => {
          over();
        },
        done: new Promise((resolve) => {
          over = () => {
            resolve('stopped');
          };
        }),
      }),
      log: recordedLog(),
      unavailable: () => unavailable,
      observers: [
        { onState: (state) => states.push(state), onRunOver: (outcome) => states.push({ outcome }) },
      ],
    });
    listener?.onOrder(drain(true));
    listener?.onOrder(drain(false));
    unavailable = 'the disk is full';
    launcher.report();
    unavailable = null;
    listener?.onOrder(assignment);
    launcher.drain('the launcher got SIGTERM');
    launcher.stop(
      new PoolwrightError('LAUNCHER_STOPPED', 'The launcher was stopped: it got SIGTERM twice.'),
      'the launcher got SIGTERM twice',
    );
    expect(await launcher.ended).toBe('ended');
    expect(goodbye).toBe('the launcher got SIGTERM twice');
    const able = { drained: false, leaving: null, unavailable: null };
    expect(states).toEqual([
      { ...able, drained: true },
      able,
      { ...able, unavailable: 'the disk is full' },
      { ...able, leaving: 'the launcher got SIGTERM' },
      { outcome: 'stopped' },
    ]);
  });
});
