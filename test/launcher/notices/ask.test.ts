// Questions to services that do not answer as they should: each comes to an end, with its cause.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask } from './support/ask.js';
import { startService, type Service } from './support/service.js';

const signal = AbortSignal.timeout(60_000);
let service: Service;
beforeEach(async () => {
  service = await startService();
});
afterEach(() => service.close());

const asked = (timeout?: number) =>
  ask({ url: `${service.url}/`, ...(timeout === undefined ? {} : { timeout }) }, signal);
const host = () => service.url.slice('http://'.length);

describe('a question', () => {
  it('ends when nothing is answered', async () => {
    service.replies.set('GET /', () => undefined);
    await expect(asked(100)).rejects.toThrow(`${host()}: no whole answer within 0.1 s`);
  });

  it('ends when the answer does not, and says so', async () => {
    service.replies.set('GET /', (_asked, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('half');
    });
    await expect(asked(100)).rejects.toThrow(`${host()}: no whole answer within 0.1 s`);
  });

  it('ends when the answer comes a byte at a time', async () => {
    service.replies.set('GET /', (_asked, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => {
        clearInterval(timer);
      });
    });
    await expect(asked(200)).rejects.toThrow(`${host()}: no whole answer within 0.2 s`);
  });

  it('ends when the answer has no end', async () => {
    service.replies.set('GET /', (_asked, response) => {
      const more = () => {
        while (response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    });
    await expect(asked()).rejects.toThrow(`${host()}: the answer is too long`);
  });

  it('says where the connection broke', async () => {
    service.replies.set('GET /', (_asked, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('half', () => response.destroy());
    });
    await expect(asked()).rejects.toThrow(`${host()}: aborted`);
  });

  it('does not follow a redirect', async () => {
    service.replies.set('GET /', (_asked, response) => {
      response.writeHead(302, { location: `${service.url}/elsewhere` }).end();
    });
    expect(await asked()).toMatchObject({ status: 302 });
    expect(service.asked).toHaveLength(1);
  });
});
