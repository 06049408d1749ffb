// Sealing beside bare AES-256-GCM of node:crypto on the same chunks.
import { createCipheriv, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { sealStream } from '../protocol/sealing/seal.js';
import { elapsed, inTurn } from './clock.js';
import { figure, type Figure } from './figure.js';

const chunk = randomBytes(1024 * 1024);
const chunks = 512;
const gigabytes = (chunk.length * chunks) / 1e9;

export async function bench(): Promise<Figure[]> {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  const sealing = async () =>
    gigabytes /
    ((await elapsed(async () => {
      const source = Readable.from(repeated());
      const sealed = source.pipe(sealStream(publicKey, 'bench')).resume();
      await finished(sealed);
    })) /
      1000);
  const bare = async () =>
    gigabytes /
    ((await elapsed(() => {
      for (let index = 0; index < chunks; index += 1) {
        const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
        cipher.update(chunk);
        cipher.final();
        cipher.getAuthTag();
      }
    })) /
      1000);
  await sealing();
  await bare();
  const { ours, reference } = await inTurn(7, sealing, bare);
  return [
    figure({
      name: 'seal',
      unit: 'GB/s',
      samples: ours,
      reference: { what: 'node:crypto AES-256-GCM', samples: reference },
      goal: { of: 'ratio', atLeast: 0.7 },
    }),
  ];
}

function* repeated(): Generator<Buffer> {
  for (let index = 0; index < chunks; index += 1) yield chunk;
}
