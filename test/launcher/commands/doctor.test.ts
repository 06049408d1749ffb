// `launcher doctor` on what it finds: a control plane that is there, and faults that it has to name.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { doctorCommand } from '../../../launcher/commands/doctor.js';
import type { Finding } from '../../../launcher/commands/finding.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { startService } from '../notices/support/service.js';
import { makePool } from '../support/pool.js';
import { until } from '../support/until.js';

let folder: string;
let plane: TestPlane;
let environment: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-doctor-'));
  plane = await startControlPlane(folder);
  environment = {
    SPACELIFT_TOKEN: plane.token,
    SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
    POOLWRIGHT_STATE_DIR: folder,
    POOLWRIGHT_EXECUTOR: 'host',
  };
});
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

async function doctor(changes: Readonly<Record<string, string>> = {}) {
  let printed = '';
  const code = await doctorCommand(['--json'], (text) => (printed += text), { ...environment, ...changes });
  const { ok, findings } = JSON.parse(printed) as { ok: boolean; findings: Finding[] };
  return { code, ok, of: (check: string) => findings.filter((finding) => finding.check === check) };
}

describe('the doctor', () => {
  test('finds a machine in order, by both ways, and registers nothing', async () => {
    const { code, ok, of } = await doctor();
    expect(of('broker').map(({ verdict, text }) => [verdict, text.split(' ')[0]])).toEqual([
      ['ok', `ssl://${plane.controlPlane.brokerAddress}`],
      ['ok', `${plane.url.replace('http', 'ws')}/worker/v1/mqtt`],
    ]);
    expect(of('API')).toMatchObject([{ verdict: 'ok' }]);
    expect(of('clock')).toMatchObject([{ verdict: 'ok' }]);
    expect(of('disk')[0]?.text).toMatch(/GiB free for/);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(await plane.workers()).toEqual([]);
  });

  test('takes a state folder that is still to be made for one, and refuses one that it may not write', async () => {
    const fresh = { POOLWRIGHT_STATE_DIR: join(folder, 'still', 'to', 'be', 'made') };
    expect((await doctor(fresh)).of('disk')).toMatchObject([{ verdict: 'ok' }]);
    if (process.getuid?.() !== 0) return;
    process.seteuid?.(65_534);
    try {
      const { code, of } = await doctor(fresh);
      expect(code).toBe(1);
      expect(of('disk')).toMatchObject([{ verdict: 'failed' }]);
      expect(of('disk')[0]?.text).toContain('cannot be written by this user (EACCES');
    } finally {
      process.seteuid?.(0);
    }
  });

  test('names the engine that does not answer', async () => {
    const { code, of } = await doctor({
      POOLWRIGHT_EXECUTOR: 'docker',
      DOCKER_HOST: 'unix:///nowhere/docker.sock',
    });
    expect(code).toBe(1);
    expect(of('engine')).toMatchObject([{ verdict: 'failed' }]);
    expect(of('engine')[0]?.text).toContain('unix:///nowhere/docker.sock does not answer (ENOENT)');
  });

  test('names the user that runs have when it is another than they expect, and fails nothing for it', async () => {
    const engine = await startService({ 'GET /_ping': 'OK' });
    const containers = { POOLWRIGHT_EXECUTOR: 'docker', DOCKER_HOST: engine.url.replace('http:', 'tcp:') };
    const seen = async (user: number) => {
      const getuid = vi.spyOn(process, 'getuid').mockReturnValue(user);
      try {
        return (await doctor(containers)).of('user');
      } finally {
        getuid.mockRestore();
      }
    };
    for (const user of [0, 1983])
      expect(await seen(user)).toMatchObject([{ verdict: 'ok', text: 'runs are executed as UID 1983' }]);
    expect(await seen(1000)).toMatchObject([
      { verdict: 'warning', text: expect.stringContaining('Runs are executed as UID 1000') as string },
    ]);
    await engine.close();
  });

  test('names settings with faults, and looks no further', async () => {
    const { code, of } = await doctor({ SPACELIFT_TOKEN: 'rubbish!', SPACELIFT_LAUNCHER_RUN_TIMEOUT: 'x' });
    expect(code).toBe(1);
    expect(of('settings')[0]?.text).toContain('2 faults');
    expect(of('the rest')).toMatchObject([{ verdict: 'skipped' }]);
  });

  test('names a certificate that the control plane does not take, by each way', async () => {
    const other = await makePool();
    const port = Number(plane.controlPlane.brokerAddress.split(':').at(-1));
    const { code, of } = await doctor(other.environment(port));
    expect(code).toBe(1);
    expect(of('broker')[0]?.text).toContain('not from the authority');
  });

  test('prints for people, too, and its help', async () => {
    let printed = '';
    expect(await doctorCommand([], (text) => (printed += text), environment)).toBe(0);
    expect(printed).toMatch(/^ok {7}settings {5}token of pool/m);
    expect(printed).toContain('A worker would work here.');
    expect(await doctorCommand(['--what'], () => undefined, environment)).toBe(2);
  });
});

describe('the program', () => {
  const launcher = fileURLToPath(new URL('../../../dist/launcher.cjs', import.meta.url));

  function run(...args: string[]): Promise<{ code: number | null; output: string }> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [launcher, ...args], { env: { ...process.env, ...environment } });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
      child.once('close', (code) => {
        resolve({ code, output });
      });
    });
  }

  test('has doctor and status, and its help names them', async () => {
    const { output } = await run('--help');
    expect(output).toMatch(/launcher doctor .*\n.*launcher status|launcher status .*\n.*launcher doctor/);
    expect((await run('doctor')).code).toBe(0);
    expect((await run('doctor', '--help')).output).toContain('Usage: launcher doctor');
    expect((await run('doctr')).code).toBe(2);
  });

  test('tells what a running launcher does', async () => {
    expect((await run('status')).output).toContain('No launcher runs on');
    const started = await plane.startLauncher({ POOLWRIGHT_STATE_DIR: folder });
    await plane.idle(1);
    const { stack, run: id } = await plane.triggerRun({}, { task: 'echo done' });
    await plane.reached(stack, id, 'FINISHED');
    await plane.idle(1);
    const { code, output } = await run('status', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      launchers: [{ pool: plane.pool, connected: true, drained: false, unavailable: null, run: null }],
      lastRuns: [{ run: id, stage: 'PERFORM', outcome: 'finished' }],
    });
    const [worker] = await plane.workers();
    const drain =
      'mutation ($pool: ID!, $id: ID!) { workerDrainSet(workerPool: $pool, id: $id, drain: true) { busy } }';
    await plane.client.request(drain, { pool: plane.pool, id: worker!.id }, z.unknown());
    await until(async () => (await run('status')).output.includes('drained: it gets no run'), 'the drain');
    started.process.kill('SIGKILL');
    await started.ended;
    // Who has ended has left no word of itself; what it did is still known.
    const after = await run('status');
    expect(after.code).toBe(1);
    expect(after.output).toMatch(
      new RegExp(`No launcher runs on .*\nBefore: ${id} of .*, perform, finished, took`),
    );
  });
});
