import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nextFreePort } from '../../control-plane/local/ports.js';

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

describe('a port', () => {
  it('that is in use is passed over for a later one', async () => {
    const taken = await takenPort();
    const found = await nextFreePort('127.0.0.1', taken);
    expect(found).toBeGreaterThan(taken);
  });

  it('that is free is taken, unless it is promised to another', async () => {
    const free = await nextFreePort('127.0.0.1', await takenPort());
    expect(await nextFreePort('127.0.0.1', free)).toBe(free);
    expect(await nextFreePort('127.0.0.1', free, [free])).toBeGreaterThan(free);
  });
});
