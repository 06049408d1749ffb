// A signed challenge in the place of a client certificate in TLS.
import { beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issueServerCertificate, type Authority } from '../../protocol/certificates.js';
import { proveWorker, verifyWorkerProof, type WorkerProof } from '../../protocol/worker-proof.js';
import { makePool, type TestPool } from '../launcher/support/pool.js';
import { pool as poolId } from './support/messages.js';

const worker = '01JZZZZZZZZZZZZZZZZZZZZZZZ';
const challenge = '0123456789abcdef0123456789abcdef';
let pool: TestPool;
let other: TestPool;
let proof: WorkerProof;
beforeAll(async () => {
  [pool, other] = await Promise.all([makePool(), makePool()]);
  proof = proveWorker(pool.certificate, pool.key, challenge, worker);
});

const expected = (changes: Partial<Parameters<typeof verifyWorkerProof>[1]> = {}) => ({
  authority: pool.authority.certificate,
  challenge,
  worker,
  now: Date.now(),
  ...changes,
});

describe("a worker's proof", () => {
  test('tells the pool and the serial number of its certificate', () => {
    expect(verifyWorkerProof(proof, expected())).toMatchObject({ pool: poolId });
    expect(verifyWorkerProof(proof, expected()).serial).toMatch(/^[0-9A-F]{32}$/);
  });

  test.each([
    ['another challenge', { challenge: 'f'.repeat(32) }, /not of this challenge/],
    ['another worker', { worker: '01JZZZZZZZZZZZZZZZZZZZZZZY' }, /not of this challenge/],
    ['a time after its end', { now: Date.now() + 11 * 365 * 86_400_000 }, /not valid now/],
    ['a time before its begin', { now: 0 }, /not valid now/],
  ])('does not count for %s', (_what, changes, reason) => {
    expect(() => verifyWorkerProof(proof, expected(changes))).toThrow(reason);
  });

  test('does not count for a certificate of another authority', () => {
    const foreign = proveWorker(other.certificate, other.key, challenge, worker);
    expect(() => verifyWorkerProof(foreign, expected())).toThrow(/not from this authority/);
  });

  test('does not count when another key signed it', () => {
    const stolen = proveWorker(pool.certificate, other.key, challenge, worker);
    expect(() => verifyWorkerProof(stolen, expected())).toThrow(/not by the key/);
  });

  test('does not count for a certificate that is none of a pool', async () => {
    const authority: Authority = await createAuthority({ now: Date.now() });
    const server = await issueServerCertificate({ authority, hosts: [poolId], now: Date.now() });
    const forged = {
      ...proof,
      certificate: Buffer.from(server.certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64').toString(
        'base64',
      ),
    };
    expect(() => verifyWorkerProof(forged, expected({ authority: authority.certificate }))).toThrow(
      /not for workers/,
    );
  });

  test.each(['', 'rubbish', 'AAAA'])('does not count with the certificate %j', (certificate) => {
    expect(() => verifyWorkerProof({ ...proof, certificate }, expected())).toThrow(/cannot be read/);
  });
});
