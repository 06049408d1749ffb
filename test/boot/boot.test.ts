// The boot scripts of all clouds on a real Debian, from the first step to a finished run.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../protocol/certificates.js';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { runnerImage } from '../support/runner-image.js';
import { expectedMetadata } from './support/cloud.js';
import { hostAddress } from './support/machine.js';
import { privateImage, registries } from './support/registry.js';
import { canBoot, scene } from './support/scene.js';

const possible = canBoot('boot of machines');

/** Without a name to look up: the image's static program cannot. */
const askMetadata = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 169.254.169.254 80 || echo out of reach`;

describe.runIf(possible)('a machine', () => {
  it.each(['aws', 'azure', 'google'] as const)(
    'boots on %s until its worker finishes a run in a container',
    async (name) => {
      const all = await scene(name, { cloudInit: name === 'aws' });
      await all.boot({ dockerRegistries: [registries[name].reference] });
      await all.idle();
      const [worker] = await all.plane.workers();
      expect(worker!.metadata).toMatchObject(expectedMetadata[name]);
      expect(await all.machine.console()).toMatch(
        /poolwright: step 1\/7[^]*poolwright: step 7\/7 \(start of the launcher\)/,
      );

      // The image comes from the cloud's private registry. The metadata service answers the machine, and nobody in a
      // container.
      const { stack, run } = await all.plane.triggerRun({
        runnerImage: privateImage(name),
        planCommands: ['id -u', askMetadata],
        autodeploy: true,
        applyCommands: ['echo applied'],
      });
      await all.plane.reached(stack, run, 'FINISHED', 'FAILED');
      const log = await logOf(all.plane, stack, run, 'PLANNING');
      expect(log).toContain('1983');
      expect(log).toContain('out of reach');
      expect(log).not.toContain('HTTP/1.1');
      expect((await all.plane.run(stack, run)).state).toBe('FINISHED');

      const login = registries[name].password;
      expect(
        await all.machine.exec(`grep -rlF ${login} /etc /opt /var/lib/poolwright /root /run || true`),
      ).toBe('');

      // Nothing secret is on the disk, in process lists or in what the machine printed.
      const piece = all.plane.token.slice(200, 260);
      expect(
        await all.machine.exec(`grep -rlF ${piece} /etc /opt /var /root /run /tmp 2>/dev/null || true`),
      ).toBe('');
      expect(
        await all.machine.exec('ps -eo args 2>/dev/null || cat /proc/*/cmdline | tr "\\0" " "'),
      ).not.toContain(piece);
    },
    300_000,
  );

  it('lets runs reach the metadata service when they use the identity of the instance', async () => {
    const all = await scene('azure');
    await all.boot({ runsUseInstanceIdentity: true, runAs: 'root' });
    await all.idle();
    await all.machine.load(runnerImage);
    const { stack, run } = await all.plane.triggerRun({
      planCommands: [askMetadata],
    });
    await all.plane.reached(stack, run, 'FINISHED', 'UNCONFIRMED', 'FAILED');
    expect(await logOf(all.plane, stack, run, 'PLANNING')).toContain('HTTP/1.1 404');
  }, 240_000);

  it('hands start-up script, certificates and proxies on to the launcher and its runs', async () => {
    const all = await scene('google');
    all.cloud.startup = 'mkdir -p /srv/made\nexport REGISTRY_PASSWORD=\'from "start-up"\nsecond line\'\n';
    const authority = await createAuthority({ now: Date.now() });
    await all.boot({
      runAs: 'root',
      startupScript: 'projects/p/secrets/startup',
      extraCaCertificates: [authority.certificate],
      proxy: { http: 'http://proxy.invalid:3128', no: [hostAddress, '.googleapis.com'] },
      launcher: { whitelistEnvs: ['REGISTRY_PASSWORD'], workerExtraMounts: ['/srv/made:/made'] },
    });
    await all.idle();
    await all.machine.load(runnerImage);
    const { stack, run } = await all.plane.triggerRun({
      planCommands: [
        'echo "password: $REGISTRY_PASSWORD"',
        'echo "proxy: $HTTP_PROXY, not for $NO_PROXY"',
        'echo "certificates: $(grep -c BEGIN "$SSL_CERT_FILE")"; ls -d /made',
      ],
    });
    await all.plane.reached(stack, run, 'FINISHED', 'UNCONFIRMED', 'FAILED');
    const log = await logOf(all.plane, stack, run, 'PLANNING');
    expect(log).toContain('password: from "start-up"\nsecond line');
    expect(log).toContain(`proxy: http://proxy.invalid:3128, not for localhost,`);
    expect(log).toMatch(/certificates: \d{2,}\n\/made/);
    const trusted = await all.machine.exec('cat /etc/ssl/certs/ca-certificates.crt');
    expect(trusted).toContain(authority.certificate.trim().split('\n')[1]);
    expect(await all.machine.exec('tr "\\0" "\\n" </proc/$(pidof dockerd)/environ')).toContain(
      'HTTP_PROXY=http://proxy.invalid:3128\n',
    );
  }, 240_000);

  it('starts its launcher again when it is stuck or killed, and powers off when that does not help', async () => {
    const all = await scene('aws');
    await all.machine.put({
      '/etc/systemd/system/poolwright-launcher.service.d/test.conf': '[Service]\nWatchdogSec=10s\n',
    });
    await all.boot();
    await all.idle();
    const [first] = await all.plane.workers();
    await all.machine.exec('systemctl kill -s STOP poolwright-launcher');
    await until(
      async () => (await all.plane.workers()).some(({ id, status }) => id !== first!.id && status === 'IDLE'),
      'another worker in the place of the one that is stuck',
      90_000,
    );
    for (let kill = 0; kill < 3; kill += 1) {
      await all.machine
        .exec(
          'until systemctl is-active -q poolwright-launcher; do systemctl is-failed -q poolwright-launcher && exit; sleep 0.2; done; systemctl kill -s KILL poolwright-launcher',
        )
        .catch(() => undefined);
    }
    expect(await all.poweredOff()).toMatch(/poolwright: the launcher has ended \([^)]*\): .*Powering off/);
  }, 240_000);

  it('finishes its run when it is told to stop, and then powers off', async () => {
    const all = await scene('azure');
    await all.boot();
    await all.idle();
    await all.machine.load(runnerImage);
    const { stack, run } = await all.plane.triggerRun(
      { planCommands: ['echo begun; sleep 8; echo ended'] },
      { runType: 'PROPOSED' },
    );
    await all.plane.reached(stack, run, 'PLANNING');
    await all.machine.exec('systemctl poweroff --no-block');
    await all.plane.reached(stack, run, 'FINISHED', 'FAILED', 'STOPPED');
    expect((await all.plane.run(stack, run)).state).toBe('FINISHED');
    expect(await logOf(all.plane, stack, run, 'PLANNING')).toContain('ended');
    await all.poweredOff();
  }, 240_000);

  it('does not start a launcher that is not the one that was pinned, and powers off with the cause', async () => {
    const all = await scene('aws', { otherLauncher: gzipSync('#!/bin/sh\n') });
    await all.boot();
    expect(await all.poweredOff()).toMatch(
      /step 5\/7 \(launcher\) failed: the launcher at .* has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}; it was not started\. Powering off/,
    );
    expect(await all.plane.workers()).toEqual([]);
  }, 240_000);

  it('powers off with the cause when it may not read its secret', async () => {
    const all = await scene('google');
    all.cloud.secret = null;
    await all.boot();
    expect(await all.poweredOff()).toMatch(
      /step 6\/7 \(credentials\) failed: reading the credentials: HTTP 403 .*denied.*Powering off/,
    );
  }, 240_000);
});
