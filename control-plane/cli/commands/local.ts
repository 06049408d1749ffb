// poolwright local: everything on this machine, to look at and to work with. `npm start` calls it.
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { QuietFailure } from '../exit.js';
import { act, withExample } from '../invocation.js';
import { wholeNumber } from '../parse.js';
import type { Terminal } from '../terminal.js';

const port = wholeNumber(0, 65_535);

const shape = {
  dataDir: z.string(),
  port: z.number().optional(),
  brokerPort: z.number().optional(),
  executor: z.enum(['auto', 'docker', 'host']),
  once: z.boolean().default(false),
};

/** Adds the `local` command. */
export function addLocalCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('local')
    .description('Run a control plane, a pool of two launchers and an example stack on this machine')
    .option('--data-dir <dir>', 'folder for everything it keeps', '.poolwright')
    .option('--port <port>', 'port of API and pages, 0 for any (default: 4280, or the next free one)', port)
    .option(
      '--broker-port <port>',
      'port for launchers, 0 for any (default: 8883, or the next free one)',
      port,
    )
    .addOption(
      new Option(
        '--executor <kind>',
        'where runs happen; auto: in containers if an engine and the image are there',
      )
        .choices(['auto', 'docker', 'host'])
        .default('auto')
        .env('POOLWRIGHT_EXECUTOR'),
    )
    .option('--once', 'end after the first run; exit code 0 only when it has FINISHED');
  act(command, terminal, shape, async ({ options, output }) => {
    const { runLocal } = await import('../../local/local.js');
    const succeeded = await runLocal(
      {
        dataDirectory: options.dataDir,
        port: options.port,
        brokerPort: options.brokerPort,
        executor: options.executor,
        once: options.once,
      },
      output,
    );
    if (!succeeded) throw new QuietFailure('the run did not finish');
  });
  withExample(command, 'poolwright local', 'poolwright local --once --executor host');
}
