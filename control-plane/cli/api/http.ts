// Plain HTTP(S) requests with an own certificate authority: the built-in fetch takes none per request.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { rootCertificates } from 'node:tls';
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';
import { UsageError } from '../exit.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends requests over kept-alive connections. `send` throws UNAVAILABLE when no answer comes. */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends idle connections, which would otherwise keep the process alive. */
  close(): void;
}

/** An answer larger than this, in bytes, is not one of ours. */
const largestAnswer = 64 * 1024 * 1024;
/** Milliseconds without a byte in either direction. */
const silence = 60_000;

const trustCodes = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unavailable(url: string, cause: unknown): PoolwrightError {
  const { origin } = new URL(url);
  const code = codeOf(cause);
  if (code !== undefined && trustCodes.has(code)) {
    return new PoolwrightError(
      'UNAVAILABLE',
      `The certificate of ${origin} is not signed by an authority that this machine trusts (${code}). ` +
        'If the control plane made its own authority, name its certificate with --ca-file.',
      { cause },
    );
  }
  const reason = code ?? messageOf(cause);
  return new PoolwrightError(
    'UNAVAILABLE',
    `No answer from ${origin} (${reason}). Is the control plane running there, and is the endpoint right?`,
    { cause },
  );
}

async function textOf(answer: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > largestAnswer) throw new Error(`the answer is larger than ${String(largestAnswer)} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A client that trusts the public authorities and, where `caFile` is given, that PEM file's too. */
export async function createHttpClient(caFile?: string): Promise<HttpClient> {
  let ca: string[] | undefined;
  if (caFile !== undefined) {
    try {
      ca = [...rootCertificates, await readFile(caFile, 'utf8')];
    } catch (cause) {
      throw new UsageError(`The authority's certificate ${caFile} cannot be read: ${messageOf(cause)}.`, {
        cause,
      });
    }
  }
  const plainAgent = new http.Agent({ keepAlive: true });
  const secureAgent = new https.Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });

  async function send({ method, url, headers, body }: HttpRequest): Promise<HttpAnswer> {
    const secure = url.startsWith('https:');
    const options = { method, headers, timeout: silence };
    const request = secure
      ? https.request(url, { ...options, agent: secureAgent })
      : http.request(url, { ...options, agent: plainAgent });
    request.on('timeout', () => request.destroy(new Error(`no byte for ${String(silence / 1000)} s`)));
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      // `on`, not `once`: a late error of a connection that has answered already must not end the process.
      request.on('error', reject);
    });
    // An early answer to a streamed body (refused, too large) closes the request: the answer counts.
    const sent =
      body === undefined || typeof body === 'string'
        ? Promise.resolve(request.end(body))
        : pipeline(body, request);
    try {
      const answer = await Promise.race([answered, sent.then(() => answered)]);
      return { status: answer.statusCode ?? 0, text: await textOf(answer) };
    } catch (cause) {
      throw unavailable(url, cause);
    }
  }

  return {
    send,
    close: () => {
      plainAgent.destroy();
      secureAgent.destroy();
    },
  };
}
