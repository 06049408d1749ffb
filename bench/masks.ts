// Masking a log of 1 GB that comes through a pipe, with 0, 10 and 1,000 secrets, beside the same pipe passed through.
import { spawn } from 'node:child_process';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { formsOf, maskersOf } from '../launcher/run/masks.js';
import { elapsed, inTurn } from './clock.js';
import { figure, type Figure } from './figure.js';

const megabytes = 1000;
const line = 'module.network.aws_subnet.private[3]: Refreshing state... [id=subnet-0a1b2c3d4e5f60718]';

/** `take` gets the bytes as the launcher does; what it makes of them goes nowhere. Answers MB/s. */
async function read(take: (chunk: Buffer) => unknown): Promise<number> {
  const source = spawn('sh', ['-c', `yes '${line}' | head -c ${String(megabytes * 1e6)}`]);
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      take(chunk);
      done();
    },
  });
  return megabytes / ((await elapsed(() => pipeline(source.stdout, new PassThrough(), sink))) / 1000);
}

function secrets(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `secret-${String(number)}-${'x'.repeat(20)}`);
}

export async function bench(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of [0, 10, 1000]) {
    const make = maskersOf(formsOf(secrets(count)));
    const masking = () => {
      const masker = make();
      return read((chunk) => masker.write(chunk));
    };
    // One of a gigabyte is long enough to say something.
    const samples = await inTurn(1, masking, () => read(() => undefined));
    figures.push(
      figure({
        name: `masks, ${count.toLocaleString('en-US')} values`,
        unit: 'MB/s',
        samples: samples.ours,
        reference: { what: 'the pipe alone', samples: samples.reference },
        goal: { of: 'ratio', atLeast: count > 10 ? 0.25 : 0.5 },
        note: 'Ours also makes text of the bytes.',
      }),
    );
  }
  return figures;
}
