// One HTTP request and its whole answer, for metadata services and the few calls to a cloud's API.
import http from 'node:http';
import { createHttpClient, type HttpClientOptions } from '../network/http-client.js';

export interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** With protocol. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds without a byte. Default 5 s. */
  readonly timeout?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** Rejects when there is no whole answer; any status is an answer. */
export type Ask = (question: Question, signal: AbortSignal) => Promise<Answer>;

/** Characters; every answer that is asked for is far below. */
const longest = 1024 * 1024;

/** The metadata service speaks http and is always asked directly; a cloud's API speaks https, and may be behind a proxy. */
export function createAsk(options: Omit<HttpClientOptions, 'endpoint'>): Ask {
  return async (question, signal) => {
    const { method = 'GET', url, headers = {}, body, timeout = 5_000 } = question;
    const { origin, pathname, search } = new URL(url);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const how = { method, headers: { ...headers, ...length }, signal, timeout };
    if (!url.startsWith('https:')) return answerOf(http.request(url, how), question);
    // Calls are minutes apart: a connection for each.
    const client = createHttpClient({ ...options, endpoint: origin });
    try {
      return await answerOf(client.request(pathname + search, how), question);
    } finally {
      client.close();
    }
  };
}

function answerOf(request: http.ClientRequest, { url, body, timeout = 5_000 }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > longest) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${String(timeout / 1000)} s`)));
    request.on('error', (error) => {
      reject(new Error(`${new URL(url).host}: ${error.message}`, { cause: error }));
    });
    request.end(body);
  });
}

/** For an answer that was not expected: where it came from and how it begins, on one line. */
export function unexpected(question: Question, { status, text }: Answer): Error {
  const { host, pathname } = new URL(question.url);
  const begin = text.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  return new Error(`${host}${pathname} answered HTTP ${String(status)}${begin === '' ? '' : `: ${begin}`}`);
}
