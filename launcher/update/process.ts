// The worker process: started as a child of the launcher that watches it, from the same program.
import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { workerCommand } from './command.js';
import { fromWorkerSchema, type FromWorker } from './words.js';
import type { Bundle, ProcessEnd, WorkerProcess } from './watch.js';

export function startWorkerProcess(bundle: Bundle | null, hear: (words: FromWorker) => void): WorkerProcess {
  const program = isSea() ? [] : [...process.execArgv, process.argv[1] ?? ''];
  const words = bundle === null ? [] : [bundle.path, bundle.sha256];
  const child = spawn(process.execPath, [...program, workerCommand, ...words], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // A terminal sends Ctrl-C to all processes of a group; the worker is told by this one alone.
    detached: true,
  });
  child.on('message', (message) => {
    const read = fromWorkerSchema.safeParse(message);
    // What a later version may say besides is not for this one.
    if (read.success) hear(read.data);
  });
  return {
    send(message) {
      // It may be gone by now, which `ended` tells.
      if (child.connected) child.send(message, () => undefined);
    },
    kill() {
      child.kill('SIGKILL');
    },
    ended: new Promise<ProcessEnd>((resolve) => {
      child.once('error', () => {
        resolve({ code: 1, signal: null });
      });
      child.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    }),
  };
}
