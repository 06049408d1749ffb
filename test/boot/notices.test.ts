// Machines that go, and machines that are of no use, on a real Debian with systemd: what the cloud announces, what becomes
// of the run, and what the machine does at the end.
import { describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { runnerImage } from '../support/runner-image.js';
import { hostAddress } from './support/machine.js';
import { canBoot, scene, type Scene } from './support/scene.js';

const possible = canBoot('boot of machines that go');

/** A run whose first line is in the log. */
async function begun({ plane, machine }: Scene, command: string): Promise<{ stack: string; run: string }> {
  await machine.load(runnerImage);
  const { stack, run } = await plane.triggerRun({ planCommands: [command] }, { runType: 'PROPOSED' });
  await until(
    async () => (await logOf(plane, stack, run, 'PLANNING').catch(() => '')).includes('begun'),
    'the first line of the run',
    60_000,
  );
  return { stack, run };
}

/** No way to the broker any more, as when a firewall was changed. */
async function cutOff({ plane, machine }: Scene): Promise<void> {
  const { broker } = JSON.parse(Buffer.from(plane.token, 'base64').toString()) as {
    broker: { endpoint: string };
  };
  const port = broker.endpoint.split(':').at(-1) ?? '';
  await machine.exec(
    `iptables -I OUTPUT -d ${hostAddress} -p tcp --dport ${port} -j REJECT --reject-with tcp-reset`,
  );
}

describe.runIf(possible)('a machine', () => {
  it('that its group takes out finishes its run, then completes the hook and powers off', async () => {
    const all = await scene('aws', { inGroup: true });
    const { cloud, plane } = all;
    await all.boot({ extraCaCertificates: [all.authority] });
    await all.idle();
    const runs: { stack: string; run: string }[] = [];
    const stateOf = async ({ stack, run }: { stack: string; run: string }) =>
      (await plane.run(stack, run)).state;
    const calls: [action: string, state: string | undefined][] = [];
    cloud.onScaling = async (parameters) => {
      const state = runs[0] === undefined ? undefined : await stateOf(runs[0]);
      const protect = parameters.get('ProtectedFromScaleIn');
      calls.push([[parameters.get('Action'), protect].filter(Boolean).join(' '), state]);
    };
    const going = await begun(all, 'echo begun; sleep 10; echo ended');
    runs.push(going);
    expect(calls.map(([action]) => action)).toEqual(['SetInstanceProtection true']);
    expect(await all.isProtected()).toBe(true);
    cloud.announced.set('/latest/meta-data/autoscaling/target-lifecycle-state', 'Terminated');
    expect(await all.poweredOff()).toMatch(/the launcher has ended \(exit code 0\).*Powering off/);
    expect(await stateOf(going)).toBe('FINISHED');
    expect(await logOf(plane, going.stack, going.run, 'PLANNING')).toContain('ended');
    expect(calls.find(([action]) => action === 'RecordLifecycleActionHeartbeat')?.[1]).toBe('PLANNING');
    // By the launcher; and again by the machine, for a launcher that could not.
    const completed = calls.filter(([action]) => action === 'CompleteLifecycleAction');
    expect(completed.map(([, state]) => state)).toEqual(['FINISHED', 'FINISHED']);
    expect(calls).toContainEqual(['SetInstanceProtection false', 'FINISHED']);
    expect(await all.isProtected()).toBe(false);
  }, 300_000);

  it('that is taken back at short notice says so in its run, and powers off', async () => {
    const all = await scene('google');
    await all.boot({ spot: true });
    await all.idle();
    const { stack, run } = await begun(all, 'echo begun; sleep 300; echo never');
    all.cloud.announced.set('/computeMetadata/v1/instance/preempted', 'TRUE');
    const done = await all.plane.reached(stack, run, 'FAILED');
    expect(done.failure).toMatchObject({
      code: 'MACHINE_TERMINATED',
      message:
        'The run was ended because Google Cloud takes this spot machine back: it did not finish in the 30 s that were left.',
    });
    // Some shells say it when the program that they wait for was told to end.
    expect(await logOf(all.plane, stack, run, 'PLANNING')).toMatch(
      /begun\n(Terminated\n)?The run was ended because/,
    );
    expect(await all.poweredOff()).toMatch(/the launcher has ended \(exit code 0\).*Powering off/);
  }, 300_000);

  it('that is not connected for too long powers off with the cause', async () => {
    const all = await scene('aws');
    await all.boot({ launcher: { environment: { POOLWRIGHT_DISCONNECTED_TIMEOUT: '5s' } } });
    await all.idle();
    await cutOff(all);
    expect(await all.poweredOff()).toMatch(
      /the launcher has ended \(exit code 3\): launcher \(NOT_CONNECTED\): The launcher was not connected for \d+ s .*Powering off/,
    );
  }, 300_000);

  it('of a scale set stays on for that, and its health endpoint is what tells', async () => {
    const all = await scene('azure');
    await all.boot({ launcher: { environment: { POOLWRIGHT_DISCONNECTED_TIMEOUT: '5s' } } });
    await all.idle();
    const health = 'curl -s -o /dev/null -w "%{http_code}" http://127.0.0.1:8372/health || true';
    expect(await all.machine.exec(health)).toBe('200');
    await cutOff(all);
    await until(
      async () => (await all.machine.console()).includes('The group replaces this machine'),
      'the last word of the launcher',
      120_000,
    );
    expect(await all.machine.console()).toMatch(/exit code 3\): launcher \(NOT_CONNECTED\)/);
    expect(await all.machine.exec(health)).toBe('000');
    expect(await all.machine.running()).toBe(true);
  }, 300_000);
});
