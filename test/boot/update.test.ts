// Updates of the launcher on a booted machine: systemd sees one service all the time, and what a machine runs outlives a
// launcher that is killed and a release that is of no use.
import { describe, expect, it } from 'vitest';
import { releaseKeyText } from '../../protocol/release-signing.js';
import { otherVersion, release } from '../faults/support/release.js';
import { createOperator } from '../launcher/update/support.js';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { runnerImage } from '../support/runner-image.js';
import { canBoot, scene } from './support/scene.js';

const possible = canBoot('updates on a booted machine');
const unit = 'poolwright-launcher';

describe.runIf(possible)('a machine', () => {
  it('takes a release after its run, keeps it when its launcher is killed, and goes back from one that crashes', async () => {
    const operator = createOperator();
    const all = await scene('google');
    const { plane, machine } = all;
    const POOLWRIGHT_UPDATE_KEY = releaseKeyText(operator.publicKey);
    await all.boot({ launcher: { environment: { POOLWRIGHT_UPDATE_KEY } } });
    await all.idle();
    await machine.load(runnerImage);
    const [deployed] = await plane.workers();
    const bases = [deployed?.version ?? ''];
    const idleIn = (version: string, except = '') =>
      until(
        async () =>
          (await plane.workers()).find(
            (worker) =>
              worker.version === version &&
              worker.status === 'IDLE' &&
              worker.connected &&
              worker.id !== except,
          ),
        `an idle worker in version ${version}`,
        60_000,
      );
    const service = async (property: string) =>
      (await machine.exec(`systemctl show --value -p ${property} ${unit}`)).trim();

    const { stack, run } = await plane.triggerRun(
      { planCommands: ['echo begun; sleep 5; echo ended'] },
      { runType: 'PROPOSED' },
    );
    await plane.reached(stack, run, 'PLANNING');
    const process = await service('MainPID');
    await release(plane, operator, await otherVersion('version-of-may'), {
      version: 'version-of-may',
      bases,
    });
    const may = await idleIn('version-of-may');
    expect((await plane.run(stack, run)).state).toBe('FINISHED');
    expect(await logOf(plane, stack, run, 'PLANNING')).toContain('ended');
    // The same process of the same service: nothing was restarted, and nothing counts against it.
    expect(await service('MainPID')).toBe(process);
    expect(await service('NRestarts')).toBe('0');

    await machine.exec(`systemctl kill --signal=SIGKILL ${unit}`);
    const again = await idleIn('version-of-may', may.id);
    expect(await service('NRestarts')).toBe('1');

    const crashing = Buffer.from("process.stderr.write('of no use\\n'); process.exit(1);\n");
    await release(plane, operator, crashing, { version: 'version-of-june', bases });
    const back = await idleIn('version-of-may', again.id);
    expect(back.launcherUpdate).toMatchObject({ base: bases[0], failedVersion: 'version-of-june' });
    expect(await service('ActiveState')).toBe('active');

    const after = await plane.triggerRun({ planCommands: ['true'] }, { runType: 'PROPOSED' });
    await plane.reached(after.stack, after.run, 'FINISHED');
    await machine.exec(`systemctl kill ${unit}`);
    expect(await all.poweredOff()).toMatch(/the launcher has ended \(exit code 0\).*Powering off/);
  }, 300_000);
});
