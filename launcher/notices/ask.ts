// One HTTP request and its whole answer, for metadata services and the few calls to a cloud's API.
import http from 'node:http';
import { createHttpClient, type HttpClientOptions } from '../network/http-client.js';

export interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** With protocol. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the whole answer is there. Default 5 s. */
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
    // A connection for each question: one that is kept may be closed by the other side just as the next one goes out,
    // and the process's own agent may have been told to go by a proxy.
    if (!url.startsWith('https:')) return answerOf(http.request(url, { ...how, agent: false }), question);
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
    let cause: Error | undefined;
    const fail = (error: Error) => {
      clearTimeout(timer);
      // What is broken off here is heard of as a connection that was broken off.
      reject(new Error(`${new URL(url).host}: ${(cause ?? error).message}`, { cause: error }));
    };
    const giveUp = (message: string) => {
      cause = new Error(message);
      request.destroy(cause);
    };
    // Not the silence alone: whoever sends a byte now and then would be listened to for ever.
    const timer = setTimeout(() => {
      giveUp(`no whole answer within ${String(timeout / 1000)} s`);
    }, timeout);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > longest) giveUp('the answer is too long');
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('error', fail);
    request.end(body);
  });
}

/** For an answer that was not expected: where it came from and how it begins, on one line. */
export function unexpected(question: Question, { status, text }: Answer): Error {
  const { host, pathname } = new URL(question.url);
  const begin = text.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  return new Error(`${host}${pathname} answered HTTP ${String(status)}${begin === '' ? '' : `: ${begin}`}`);
}
