// The command line as a whole: all commands below one program, and how they end.
import { Command } from 'commander';
import { addBackupCommands } from './commands/backup.js';
import { addKeysCommands } from './commands/keys.js';
import { addLauncherCommands } from './commands/launcher.js';
import { addLocalCommand } from './commands/local.js';
import { addLoginCommand } from './commands/login.js';
import { addMigrateCommand } from './commands/migrate.js';
import { addPoolCommands } from './commands/pool.js';
import { addRunCommands } from './commands/run.js';
import { addServeCommand } from './commands/serve.js';
import { addStackCommands } from './commands/stack.js';
import { addWorkerCommands } from './commands/worker.js';
import { exitCodes, reportFailure } from './exit.js';
import { packageVersion } from './package-file.js';
import type { Terminal } from './terminal.js';

const epilogue = `
Commands that ask a control plane take its address and an API key from flags, else from the environment
(POOLWRIGHT_ENDPOINT, POOLWRIGHT_API_KEY_ID, POOLWRIGHT_API_KEY_SECRET, or the same of SPACELIFT_API_KEY_ENDPOINT,
SPACELIFT_API_KEY_ID, SPACELIFT_API_KEY_SECRET), else from the profile that \`poolwright login\` keeps.

Exit codes: 0 done, 1 failed, 2 wrong usage. NO_COLOR turns colours off; POOLWRIGHT_DEBUG=true shows causes.`;

/** The whole command line. Parsing throws CommanderError instead of ending the process. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('poolwright')
    .description('Private worker pools for infrastructure-as-code runs')
    .version(packageVersion())
    .showHelpAfterError('(add --help for what is expected)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text);
      },
      writeErr: (text) => {
        terminal.note(text.trimEnd());
      },
      getOutHelpWidth: () => terminal.columns ?? 100,
      getErrHelpWidth: () => terminal.columns ?? 100,
    });
  addLocalCommand(program, terminal);
  addServeCommand(program, terminal);
  addBackupCommands(program, terminal);
  addMigrateCommand(program, terminal);
  addLoginCommand(program, terminal);
  addKeysCommands(program, terminal);
  addPoolCommands(program, terminal);
  addWorkerCommands(program, terminal);
  addLauncherCommands(program, terminal);
  addStackCommands(program, terminal);
  addRunCommands(program, terminal);
  program.addHelpText('after', epilogue);
  return program;
}

/** Runs one command line (without node and script) and returns the exit code. Never throws. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // Read off the words and not the parsed options: the fault may be in the parsing.
    return reportFailure(error, terminal, args.includes('--json'));
  }
}
