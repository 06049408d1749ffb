// The program `launcher`: settings from the environment, one worker, until it is told to end.
import { PoolwrightError, messageOf } from '../protocol/errors.js';
import { describeVariables } from './settings/help.js';
import { run } from './program.js';

declare const __LAUNCHER_VERSION__: string;

const help = `launcher – takes runs of a worker pool, one at a time, and executes them on this machine

Usage: launcher [--help | --version]
       launcher controller [--help]      the pool controller of a Kubernetes cluster
       launcher run-init | run-server    in the containers of a run pod

All settings come from the environment:

${describeVariables()}

SIGTERM or SIGINT: take nothing new, finish the run, end. A second one stops the run, too.
Exit codes: 0 ended in order, 1 failed, 2 wrong settings, 3 not connected for too long.
`;

async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (first === '--help' || first === '-h') {
    process.stdout.write(help);
    return 0;
  }
  if (first === '--version') {
    process.stdout.write(`${__LAUNCHER_VERSION__}\n`);
    return 0;
  }
  if (first === 'controller' || first === 'run-init' || first === 'run-server')
    return kubernetes(first, args.slice(1));
  if (first !== undefined) {
    process.stderr.write(`Expected no arguments, got ${JSON.stringify(first)}. See launcher --help.\n`);
    return 2;
  }
  try {
    await run(__LAUNCHER_VERSION__);
    return 0;
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
