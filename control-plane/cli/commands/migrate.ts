// poolwright migrate: from a data folder to PostgreSQL, and to an object store if one is named.
import type { Command } from 'commander';
import * as z from 'zod';
import { UsageError } from '../exit.js';
import { act, withExample } from '../invocation.js';
import { placesHelp, placesOf } from '../places.js';
import type { Terminal } from '../terminal.js';

/** Adds the `migrate` command. */
export function addMigrateCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('migrate')
    .description(
      'Move everything from a data folder to the database at DATABASE_URL, while the control plane is stopped',
    )
    .requiredOption('--data-dir <dir>', 'folder of the control plane that was stopped');
  act(command, terminal, { dataDir: z.string() }, async ({ options, output }) => {
    const places = placesOf(process.env);
    const { databaseUrl } = places;
    if (databaseUrl === undefined) {
      throw new UsageError(
        'Expected the variable DATABASE_URL: where to move to. See poolwright serve --help.',
      );
    }
    const { migrateFolder } = await import('../../backup/migrate.js');
    const report = await migrateFolder(options.dataDir, { ...places, databaseUrl }, (line) => {
      terminal.note(line);
    });
    output.answer(report, () => [
      ...Object.entries(report.rows).map(([table, count]) => `${table.padEnd(24)} ${String(count)}`),
      `${'objects'.padEnd(24)} ${String(report.objects)}`,
      `${'logs'.padEnd(24)} ${String(report.logs)}`,
      '',
      'Moved. Start the control plane with the same variables and the same --data-dir.',
    ]);
  });
  command.addHelpText('after', placesHelp);
  withExample(command, 'poolwright migrate --data-dir /var/lib/poolwright');
}
