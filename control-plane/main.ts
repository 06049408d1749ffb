#!/usr/bin/env node
// The program `poolwright`: control plane, local pool, and the commands that ask a control plane.
import { runProgram } from './cli/program.js';
import { processTerminal } from './cli/terminal.js';

// The reader of a pipe may go (`poolwright run logs … | head`): that is an end, not a fault.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

process.exitCode = await runProgram(process.argv.slice(2), processTerminal());
