// Asks a person on the terminal for something that must not be shown while it is typed.
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { PoolwrightError } from '../../protocol/errors.js';

/** Shows `question` on stderr and reads one line from stdin without echo. Ctrl-C and end of input throw. */
export function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => {
      resolve(line.trim());
      lines.close();
    });
    lines.once('close', () => {
      process.stderr.write('\n');
      // After an answer this changes nothing: the promise is settled.
      reject(new PoolwrightError('INVALID_ARGUMENT', 'Nothing was entered.'));
    });
  });
}
