// Boots that never end by themselves, or whose programs are killed: what nobody else would see, the machine's own system does.
import { describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { canBoot, scene } from './support/scene.js';

const possible = canBoot('boots that hang');

const dockerTakes = (...lines: string[]) => ({
  '/etc/systemd/system/docker.service.d/zz-test.conf': ['[Service]', ...lines, ''].join('\n'),
});
const longer = 'ExecStartPre=/bin/sleep 600';
const soon = 'TimeoutStartSec=3s';

describe.runIf(possible)('a machine', () => {
  it('whose boot is killed, whose start-up script hangs, whose Docker hangs, powers off with the cause', async () => {
    const all = await scene('google');
    const { machine, cloud } = all;
    await machine.put({
      ...dockerTakes(longer),
      '/etc/systemd/system/poolwright-prepare.service.d/test.conf': `[Service]\n${soon}\n`,
    });
    await all.boot({ startupScript: 'projects/p/secrets/startup' });
    await until(
      async () => (await machine.console()).includes('poolwright: step 3/7'),
      'the third step of the boot',
      120_000,
    );
    // As the kernel does when memory runs out.
    await machine.exec('systemctl kill -s KILL poolwright-boot');
    expect(await all.poweredOff()).toMatch(
      /the boot has ended \(signal KILL\): step 3\/7 \(Docker engine\)\. Powering off/,
    );

    cloud.startup = 'sleep 600\n';
    await machine.put(dockerTakes());
    await machine.start();
    expect(await all.poweredOff()).toMatch(
      /the preparation has ended \(not done within 3s\): start-up script\. Powering off/,
    );

    // The boot has succeeded; what a later start needs may hang all the same.
    await machine.put(dockerTakes(longer, soon));
    await machine.start();
    expect(await all.poweredOff()).toMatch(
      /the Docker engine does not start: docker\.service: Failed with result 'timeout'\..*Powering off/,
    );
    expect(await all.plane.workers()).toEqual([]);
  }, 300_000);
});
