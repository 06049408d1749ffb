// The commands of the launcher that only Kubernetes uses: the controller, and the containers of run pods.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { preferSmallHeap } from './memory.js';
import { controllerHelp, readControllerArguments } from './arguments.js';

/** Resolves to the exit code. */
export async function runKubernetesCommand(
  command: string,
  args: readonly string[],
  version: string,
): Promise<number> {
  switch (command) {
    case 'run-init':
      return (await import('./pod/init.js')).runInit();
    case 'run-server':
      return (await import('./pod/server.js')).runServer();
    case 'controller':
      return controller(args, version);
    default:
      throw new PoolwrightError(
        'INVALID_ARGUMENT',
        `Expected controller, run-init or run-server, got ${command}.`,
      );
  }
}

async function controller(args: readonly string[], version: string): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(controllerHelp);
    return 0;
  }
  const given = readControllerArguments(args, process.env);
  const ended = new AbortController();
  const onSignal = () => {
    ended.abort();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  preferSmallHeap();
  const { runController } = await import('./controller.js');
  try {
    await runController({ arguments: given, version }, ended.signal);
    return 0;
  } catch (error) {
    if (ended.signal.aborted) return 0;
    process.stderr.write(`launcher controller: ${messageOf(error)}\n`);
    return 1;
  }
}
