// The program `launcher`: settings from the environment, one worker, until it is told to end. What a command needs is
// loaded with it: a bundle of this size costs more to start than its smaller commands cost to run.
import { PoolwrightError, messageOf } from '../protocol/errors.js';
import { workerCommand } from './update/command.js';

declare const __LAUNCHER_VERSION__: string;

const help = (
  variables: string,
) => `launcher – takes runs of a worker pool, one at a time, and executes them on this machine

Usage: launcher                          run a worker
       launcher status                   say what the launchers on this machine do now
       launcher doctor                   look whether a worker would work here, and say what to mend
       launcher policy …                 show what run initialization policies see, and try one
       launcher controller [--help]      the pool controller of a Kubernetes cluster
       launcher run-init | run-server    in the containers of a run pod
       launcher worker                   what the launcher starts itself when it takes updates
       launcher --help | --version

All settings come from the environment:

${variables}

SIGTERM or SIGINT: take nothing new, finish the run, end. A second one stops the run, too.
Exit codes: 0 ended in order, 1 failed, 2 wrong settings, 3 not connected for too long.
`;

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === '--help' || first === '-h') {
    const { describeVariables } = await import('./settings/help.js');
    process.stdout.write(help(describeVariables()));
    return 0;
  }
  if (first === '--version') {
    process.stdout.write(`${__LAUNCHER_VERSION__}\n`);
    return 0;
  }
  if (first === 'controller' || first === 'run-init' || first === 'run-server')
    return kubernetes(first, rest);
  try {
    const print = (text: string) => process.stdout.write(text);
    if (first === 'policy') {
      const { policyCommand } = await import('./commands/policy.js');
      return await policyCommand(rest, print, process.env);
    }
    if (first === 'doctor') {
      const { doctorCommand } = await import('./commands/doctor.js');
      return await doctorCommand(rest, print, process.env);
    }
    if (first === 'status') {
      const { statusCommand } = await import('./commands/status.js');
      const { stateDirectoryOf } = await import('./settings/read.js');
      const folder = stateDirectoryOf({ environment: process.env, userId: process.getuid?.() });
      return await statusCommand(rest, print, { folder, now: Date.now() });
    }
    if (first === workerCommand) return await worker(rest);
    if (first !== undefined) {
      process.stderr.write(`Expected a command, got ${JSON.stringify(first)}. See launcher --help.\n`);
      return 2;
    }
    const { startWatched } = await import('./update/start.js');
    const end = await startWatched(__LAUNCHER_VERSION__, process.env);
    if (end === undefined) {
      const { run } = await import('./program.js');
      await run(__LAUNCHER_VERSION__);
      return 0;
    }
    // As if this process had ended so: whoever started it judges by that.
    if (end.signal !== null) process.kill(process.pid, end.signal);
    return end.code ?? 1;
  } catch (error) {
    const wrongSettings =
      error instanceof PoolwrightError && (error.code === 'INVALID_SETTINGS' || error.code === 'UNSUPPORTED');
    const code = error instanceof PoolwrightError ? ` (${error.code})` : '';
    process.stderr.write(`launcher${code}: ${messageOf(error)}\n`);
    if (!(error instanceof PoolwrightError) && error instanceof Error)
      process.stderr.write(`${error.stack ?? ''}\n`);
    if (wrongSettings) return 2;
    return error instanceof PoolwrightError && error.code === 'NOT_CONNECTED' ? 3 : 1;
  }
}

/** In the version of the bundle that is named, or in this one. */
async function worker([path, sha256]: readonly string[]): Promise<number> {
  if (path !== undefined && sha256 !== undefined) {
    const { startBundle } = await import('./update/load.js');
    await startBundle(path, sha256);
    // From here on the process is the bundle's.
    return new Promise<never>(() => undefined);
  }
  const { meetWatcher } = await import('./update/watched.js');
  const watcher = await meetWatcher();
  const { run } = await import('./program.js');
  await run(__LAUNCHER_VERSION__, watcher);
  return 0;
}

/** Loaded only for these commands: a worker on a machine has no use for it. */
async function kubernetes(command: string, args: readonly string[]): Promise<number> {
  try {
    const { runKubernetesCommand } = await import('./kubernetes/main.js');
    return await runKubernetesCommand(command, args, __LAUNCHER_VERSION__);
  } catch (error) {
    process.stderr.write(`launcher ${command}: ${messageOf(error)}\n`);
    return error instanceof PoolwrightError && error.code === 'INVALID_ARGUMENT' ? 2 : 1;
  }
}

void main(process.argv.slice(2)).then((code) => {
  // Not only the exit code: a connection that is still closing must not keep an ended launcher alive.
  process.exit(code);
});
