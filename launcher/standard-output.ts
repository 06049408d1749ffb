// Standard output: a pipe that is full or gone, or a file on a disk that is full. None of them may end a run.
import { writeSync } from 'node:fs';

let heard = false;

/** Writes at once where that is possible; what cannot be written is lost, and nothing else with it. Never throws. */
export function writeOut(text: string, descriptor = 1): void {
  let rest = Buffer.from(text);
  // What waits for a reader comes first.
  if (heard && descriptor === 1 && process.stdout.writableLength > 0) {
    process.stdout.write(rest);
    return;
  }
  try {
    // A pipe that is nearly full takes a part.
    while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EAGAIN' || descriptor !== 1) return;
    // Written as soon as somebody reads; whoever does not read any more is heard of by an event.
    if (!heard) process.stdout.on('error', () => undefined);
    heard = true;
    process.stdout.write(rest);
  }
}
