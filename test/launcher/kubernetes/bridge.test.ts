// The bridge between the containers of a run pod: a real shell on one side, as the first process of a container or of a
// process namespace.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { makePipe, openBridge, type Bridge } from '../../../launcher/kubernetes/pod/bridge.js';
import { workerScript } from '../../../launcher/kubernetes/pod/worker-script.js';
import { available, hasProgram, hasDocker } from '../../support/skips.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';

const step = (script: string, environment: Record<string, string> = {}) => ({
  name: 'step',
  script,
  environment,
  workingDirectory: '/tmp',
});

const ownProcesses = ['--pid', '--fork', '--kill-child', '--mount-proc'];

const shells = {
  sh: (folder: string, variables: Record<string, string>) =>
    spawn('unshare', [...ownProcesses, '/bin/sh', join(folder, 'worker.sh'), folder], {
      env: { PATH: '/usr/bin:/bin', ...variables },
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  bash: (folder: string, variables: Record<string, string>) =>
    spawn('unshare', [...ownProcesses, 'bash', join(folder, 'worker.sh'), folder], {
      env: { PATH: '/usr/bin:/bin', ...variables },
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  'a container with busybox': (folder: string, variables: Record<string, string>) =>
    spawn(
      'docker',
      [
        ...['run', '--rm', '--user', '1983:1983', '--name', containerOf(folder), '-v', `${folder}:/bridge`],
        ...Object.entries(variables).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
        ...[runnerImage, '/bin/sh', '/bridge/worker.sh', '/bridge'],
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    ),
};
type Shell = keyof typeof shells;

const containerOf = (folder: string) => `poolwright-${folder.split('-').at(-1) ?? ''}`;
const there: readonly Shell[] = [
  ...(available(
    'the bridge with the shells of this machine',
    hasProgram('unshare', ...ownProcesses, 'true'),
    'no process namespaces (unshare as root)',
  )
    ? (['sh', 'bash'] as const)
    : []),
  ...(hasDocker('the bridge in containers') && hasRunnerImage('the bridge in containers')
    ? (['a container with busybox'] as const)
    : []),
];

describe.each(there)('a worker in %s', (shell) => {
  const running: { bridge: Bridge; child: ChildProcess; folder: string }[] = [];

  async function start(variables: Record<string, string> = {}) {
    const folder = await temporaryFolder();
    await chmod(folder, 0o777);
    for (const pipe of ['orders', 'words']) {
      await makePipe(join(folder, pipe));
      await chmod(join(folder, pipe), 0o666);
    }
    await writeFile(join(folder, 'worker.sh'), workerScript);
    const bridge = openBridge({
      folder,
      customBinariesPath: '/custom',
      withheld: () => ['WITHHELD'],
      clock: systemClock,
      grace: 2000,
      openToAll: true,
    });
    const child = shells[shell](folder, variables);
    running.push({ bridge, child, folder });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { bridge, child, folder, ended, variables: await bridge.hello };
  }

  async function run(bridge: Bridge, script: string, environment = {}, stop = new AbortController().signal) {
    let output = '';
    const end = await bridge.run(
      step(script, environment),
      (bytes) => (output += Buffer.from(bytes).toString()),
      stop,
    );
    return { ...end, output };
  }

  afterEach(() => {
    for (const { bridge, child, folder } of running.splice(0)) {
      bridge.close();
      child.kill('SIGKILL');
      if (shell.startsWith('a container')) {
        try {
          execFileSync('docker', ['rm', '-f', containerOf(folder)], { stdio: 'ignore' });
        } catch {
          // It has ended by itself.
        }
      }
    }
  });

  test('executes steps with their environment, output, order and exit codes', async () => {
    const { bridge, ended } = await start();
    const environment = { GREETING: `it's "fine" $HOME\nand \\two lines` };
    expect(await run(bridge, 'printf "%s\\n" "$GREETING"; echo err >&2; echo out', environment)).toEqual({
      exitCode: 0,
      signal: null,
      cause: 'exit',
      output: `${environment.GREETING}\nerr\nout\n`,
    });
    expect(await run(bridge, 'pwd; false; echo not reached')).toMatchObject({
      exitCode: 1,
      output: '/tmp\n',
    });
    expect((await run(bridge, 'echo $PATH')).output).toMatch(/^\/custom:/);
    const large = await run(
      bridge,
      'i=0; while [ $i -lt 3000 ]; do echo "line $i of a long output"; i=$((i+1)); done',
    );
    expect(large.output.split('\n')).toHaveLength(3001);
    bridge.close();
    expect(await ended).toBe(0);
  });

  test('tells the variables that the server asks for, and those to be masked', async () => {
    const given = {
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '90m',
      SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: 'true',
      SPACELIFT_MASK_ENVS: 'SECRET, OTHER,NOT-A-NAME',
      SECRET: 'two\nlines',
      OTHER: '',
    };
    const { bridge, variables } = await start({ ...given, WITHHELD: 'no', GIVEN: 'yes' });
    expect((await run(bridge, 'echo ${GIVEN:-none} ${WITHHELD:-none}')).output).toBe('yes none\n');
    expect(variables).toMatchObject({
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '90m',
      SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: 'true',
      SECRET: 'two\nlines',
      OTHER: '',
    });
  });

  test.runIf(shell.startsWith('a container'))(
    'tells a step that lost a process for want of memory, and not the one after it',
    async () => {
      const { bridge, folder } = await start();
      execFileSync('docker', ['update', '--memory', '24m', '--memory-swap', '24m', containerOf(folder)]);
      const large = 'dd if=/dev/zero of=/dev/null bs=200M count=1';
      expect(await run(bridge, `${large} || exit 1`)).toMatchObject({ exitCode: 1, cause: 'out-of-memory' });
      expect(await run(bridge, `${large} || echo went on`)).toMatchObject({ exitCode: 0, cause: 'exit' });
      expect(await run(bridge, 'exit 1')).toMatchObject({ exitCode: 1, cause: 'exit' });
    },
  );

  test('ends a step with all that it started, first in order, then at once', async () => {
    const { bridge } = await start();
    const stop = new AbortController();
    const inOrder = run(
      bridge,
      'trap "echo last words; exit 3" TERM; echo up; while :; do sleep 0.1 || true; done',
      {},
      stop.signal,
    );
    setTimeout(() => {
      stop.abort();
    }, 700);
    expect(await inOrder).toMatchObject({
      cause: 'killed',
      output: expect.stringMatching(/^up\n(.*\n)?last words\n$/) as string,
    });
    const now = new AbortController();
    const stubborn = run(
      bridge,
      'trap "" TERM; sleep 1000 & echo up; while :; do sleep 0.1 || true; done',
      {},
      now.signal,
    );
    setTimeout(() => {
      now.abort();
    }, 700);
    expect(await stubborn).toMatchObject({ cause: 'killed', output: 'up\n' });
    expect(await run(bridge, 'echo still here')).toMatchObject({ exitCode: 0, output: 'still here\n' });
  });

  test('does not wait for what a step leaves running', async () => {
    const { bridge } = await start();
    expect(await run(bridge, 'sleep 1000 & echo done')).toMatchObject({ exitCode: 0, output: 'done\n' });
  });

  test('tells when the worker is gone, and the worker goes when the server is gone', async () => {
    const { bridge, child, folder } = await start();
    const running_ = run(bridge, 'sleep 1000');
    setTimeout(() => {
      if (shell.startsWith('a container'))
        execFileSync('docker', ['kill', containerOf(folder)], { stdio: 'ignore' });
      else child.kill('SIGKILL');
    }, 700);
    await expect(running_).rejects.toThrow(/container worker/);
    await bridge.gone;
  });
});
