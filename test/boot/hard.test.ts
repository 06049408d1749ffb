// Boots where something is in the way: a network with little or no way out, a disk without room, packages that are missing.
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttpProxy, type Resolve } from '../launcher/support/http-proxy.js';
import { until } from '../launcher/support/until.js';
import { runnerImage } from '../support/runner-image.js';
import { hostAddress, internet } from './support/machine.js';
import { canBoot, scene } from './support/scene.js';

const possible = canBoot('boots where something is in the way');

/** Lets nothing of the machine out but to the metadata service and to these ports of this host. */
const onlyTo = (...ports: number[]) =>
  [
    `iptables -w -t mangle -A OUTPUT -d ${internet} -j DROP`,
    ...ports.map(
      (port) => `iptables -w -t mangle -A OUTPUT -d ${hostAddress} -p tcp --dport ${String(port)} -j ACCEPT`,
    ),
    `iptables -w -t mangle -A OUTPUT -d ${hostAddress} -j DROP`,
  ].join('\n');

/** A small disk where the files of the boot are. */
const smallDisk = (kilobytes: number) =>
  `mkdir -p /opt/poolwright\nmount -t tmpfs -o size=${String(kilobytes)}k tmpfs /opt/poolwright`;

describe.runIf(possible)('a machine', () => {
  it('without a network powers off with the cause', async () => {
    const all = await scene('google', {
      surroundings: `ip route add unreachable ${internet}`,
    });
    await all.boot();
    expect(await all.poweredOff()).toMatch(
      /step 5\/7 \(launcher\) failed: fetching the launcher: curl: \(7\) .*storage\.googleapis\.com.*Powering off/,
    );
    expect(
      (await all.machine.console()).match(/fetching the launcher: curl: .*, again in \d+ s/g),
    ).toHaveLength(5);
  }, 240_000);

  it.each([
    ['user data', 8, /user data failed in line \d+; disk: .*Powering off/],
    [
      'the launcher',
      400,
      /step 5\/7 \(launcher\) failed: .*; the disk of \/opt\/poolwright is full.*Powering off/,
    ],
  ])(
    'whose disk has no room for %s powers off with the cause',
    async (_what, kilobytes, cause) => {
      const all = await scene('google', { surroundings: smallDisk(kilobytes) });
      await all.boot();
      expect(await all.poweredOff()).toMatch(cause);
    },
    240_000,
  );

  it('that gets out by a proxy only is a worker all the same', async () => {
    const place: { resolve?: Resolve } = {};
    const proxy = await startHttpProxy(undefined, {
      listen: hostAddress,
      resolve: (host, port) => place.resolve?.(host, port) ?? { host, port },
    });
    onTestFinished(() => proxy.close());
    const all = await scene('aws', { surroundings: onlyTo(proxy.port) });
    place.resolve = all.addressOf;
    const address = `http://${hostAddress}:${String(proxy.port)}`;
    await all.boot({ proxy: { http: address, https: address } });
    await all.idle();
    expect(proxy.asked).toContain('CONNECT secretsmanager.eu-west-1.amazonaws.com:443');
    expect(all.front.requests).toContain('POST secretsmanager.eu-west-1.amazonaws.com/');
  }, 240_000);

  it('in a network with an authority of its own trusts it when it is given', async () => {
    const all = await scene('azure', { trusted: false, planeName: 'plane.internal' });
    await all.boot({ extraCaCertificates: [all.authority] });
    await all.idle();
    await all.machine.load(runnerImage);
    const { stack, run } = await all.plane.triggerRun({ planCommands: ['true'] }, { runType: 'PROPOSED' });
    await all.plane.reached(stack, run, 'FINISHED', 'FAILED');
    expect((await all.plane.run(stack, run)).state).toBe('FINISHED');
    expect(all.front.requests.filter((line) => line.includes(' plane.internal/'))).not.toEqual([]);
  }, 240_000);

  it('without Docker installs it, and does so again when it was reset in the middle of that', async () => {
    // The packages' archives are in the image; nothing of the engine is installed when it starts first.
    const all = await scene('google', {
      surroundings: `if [ ! -e /root/bare ]; then
  dpkg --purge --force-depends docker.io containerd runc >/dev/null 2>&1
  cd /var/cache/apt/archives
  for file in *.deb; do
    dpkg-deb -f "$file"
    printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d ' ' -f 1)"
  done >Packages
  echo 'deb [trusted=yes] file:/var/cache/apt/archives ./' >/etc/apt/sources.list
  : >/var/log/dpkg.log
  touch /root/bare
fi`,
    });
    await all.boot();
    await until(
      () =>
        all.machine
          .exec("grep -qs 'unpack.* docker.io' /var/log/dpkg.log && echo begun")
          .then(Boolean, () => false),
      'the installation to begin',
      150_000,
    );
    await all.machine.reset();
    await all.machine.start();
    await all.idle();
    expect(await all.machine.exec('dpkg --audit')).toBe('');
  }, 400_000);
});
