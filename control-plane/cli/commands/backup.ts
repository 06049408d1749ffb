// poolwright backup and restore: everything that a control plane keeps, in one file.
import type { Command } from 'commander';
import * as z from 'zod';
import { act, withExample } from '../invocation.js';
import { placesHelp, placesOf } from '../places.js';
import type { Terminal } from '../terminal.js';

/** Adds the `backup` and `restore` commands. */
export function addBackupCommands(program: Command, terminal: Terminal): void {
  const note = (line: string) => {
    terminal.note(line);
  };
  const backup = program
    .command('backup')
    .description('Write everything that a control plane keeps into one file (mode 0600), secrets included')
    .requiredOption('--data-dir <dir>', 'its folder; it must be stopped, unless all it keeps is behind URLs')
    .requiredOption('--out <file>', 'file to write; complete, or not there');
  act(backup, terminal, { dataDir: z.string(), out: z.string() }, async ({ options, output }) => {
    const { openSide } = await import('../../backup/side.js');
    const { writeBackup } = await import('../../backup/archive.js');
    const side = await openSide(options.dataDir, placesOf(process.env), {
      presence: 'none',
      onProgress: note,
    });
    try {
      const entries = await writeBackup(side, options.out, Date.now());
      output.answer({ file: options.out, entries }, () => [`${options.out}: ${String(entries)} entries`]);
    } finally {
      await side.close();
    }
  });
  backup.addHelpText('after', placesHelp);
  withExample(backup, 'poolwright backup --data-dir /var/lib/poolwright --out backup.tar.gz');

  const restore = program
    .command('restore')
    .description('Put a backup into a new data folder, or into the empty database at DATABASE_URL')
    .requiredOption('--data-dir <dir>', 'folder that is not there yet; with DATABASE_URL any')
    .requiredOption('--from <file>', 'what poolwright backup has written');
  act(restore, terminal, { dataDir: z.string(), from: z.string() }, async ({ options, output }) => {
    const { restoreBackup } = await import('../../backup/restore.js');
    const report = await restoreBackup(options.from, options.dataDir, placesOf(process.env), note);
    output.answer(report, () => [
      `rows ${String(report.rows)}, objects ${String(report.objects)}, parts of logs ${String(report.logParts)}`,
    ]);
  });
  restore.addHelpText('after', placesHelp);
  withExample(restore, 'poolwright restore --data-dir /var/lib/poolwright-new --from backup.tar.gz');
}
