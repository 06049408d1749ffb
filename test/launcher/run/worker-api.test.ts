// What the worker asks of the API, and what it takes for an answer.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { answerOf, granted, inTurn, quick, serve } from './support/api-server.js';

const signal = AbortSignal.timeout(60_000);

describe('the leave to begin', () => {
  it('takes no page with status 200 for the leave to begin', async () => {
    const { api, connections } = await serve(quick, inTurn(answerOf('200 OK'), granted));
    await api.begin(signal);
    expect(connections()).toBe(2);
  });
});

describe('an object', () => {
  it('is fetched anew when the connection breaks in the middle of it', async () => {
    const file = join(await temporaryFolder(), 'object');
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    const { api } = await serve(quick, inTurn(half, answerOf('200 OK', '0123456789')));
    await api.fetchObject('o', file, signal);
    expect(await readFile(file, 'utf8')).toBe('0123456789');
  });

  it('that cannot be written here is no fault of the control plane, and not asked for again', async () => {
    const { api, connections } = await serve(quick, inTurn(answerOf('200 OK')));
    const file = join(await temporaryFolder(), 'no-such-folder', 'object');
    await expect(api.fetchObject('o', file, signal)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(connections()).toBe(1);
  });
});
