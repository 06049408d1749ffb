// Speaks GraphQL with the control plane: signs in with the API key, keeps the session token in memory.
import { z } from 'zod';
import { errorCodes, PoolwrightError, type ErrorCode } from '../../../protocol/errors.js';
import type { Credentials } from '../credentials.js';
import type { HttpClient } from './http.js';

export interface ApiClient {
  /** Runs one document. `schema` is what its `data` must look like. Errors carry the server's code. */
  request<T>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T>;
  readonly endpoint: string;
  readonly http: HttpClient;
}

const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(
      z.object({ message: z.string(), extensions: z.object({ code: z.string().optional() }).optional() }),
    )
    .optional(),
});

const signInSchema = z.object({ apiKeyUser: z.object({ jwt: z.string(), validUntil: z.int() }).nullable() });
const signInDocument =
  'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt validUntil } }';

/** A session is renewed this many seconds before it ends, so that it does not end under way. */
const renewBefore = 30;

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

/** `now` gives Unix milliseconds. */
export function createApiClient(
  credentials: Credentials,
  http: HttpClient,
  now: () => number = Date.now,
): ApiClient {
  const { endpoint, apiKeyId, apiKeySecret } = credentials;
  let session: { jwt: string; validUntil: number } | undefined;

  async function post(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    jwt?: string,
  ): Promise<unknown> {
    const { status, text } = await http.send({
      method: 'POST',
      url: `${endpoint}/graphql`,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(jwt === undefined ? {} : { authorization: `Bearer ${jwt}` }),
      },
      body: JSON.stringify({ query: document, variables }),
    });
    const unexpected = (what: string) =>
      new PoolwrightError(
        'UNAVAILABLE',
        `${endpoint} answered ${what} (HTTP ${String(status)}) where GraphQL was expected. Is the endpoint right?`,
      );
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      throw unexpected('something that is not JSON');
    }
    const answer = answerSchema.safeParse(body);
    if (!answer.success) throw unexpected('JSON of another kind');
    const [first] = answer.data.errors ?? [];
    if (first !== undefined) {
      if (first.message === 'unauthorized') throw new PoolwrightError('UNAUTHORIZED', 'unauthorized');
      const code = first.extensions?.code ?? '';
      throw new PoolwrightError(isErrorCode(code) ? code : 'UNAVAILABLE', first.message);
    }
    return answer.data.data;
  }

  function parse<T>(data: unknown, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(data);
    if (parsed.success) return parsed.data;
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    throw new PoolwrightError(
      'UNAVAILABLE',
      `${endpoint} answered in another shape than this program knows (${faults}). Do their versions fit together?`,
    );
  }

  function refused(cause: unknown): PoolwrightError {
    return new PoolwrightError(
      'UNAUTHORIZED',
      `${endpoint} does not accept the API key ${apiKeyId}: its id or secret is wrong, or it was revoked.`,
      { cause },
    );
  }

  async function signIn(): Promise<string> {
    try {
      const data = await post(signInDocument, { id: apiKeyId, secret: apiKeySecret });
      const { apiKeyUser } = parse(data, signInSchema);
      if (apiKeyUser === null) throw refused(undefined);
      session = apiKeyUser;
      return apiKeyUser.jwt;
    } catch (error) {
      throw error instanceof PoolwrightError && error.message === 'unauthorized' ? refused(error) : error;
    }
  }

  async function request<T>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const current =
      session !== undefined && session.validUntil - renewBefore > now() / 1000 ? session.jwt : undefined;
    try {
      return parse(await post(document, variables, current ?? (await signIn())), schema);
    } catch (error) {
      // The server may have been started anew with another signing key: one fresh session, one more try.
      // A refused session changed nothing, so trying again repeats no effect.
      const sessionRefused = error instanceof PoolwrightError && error.message === 'unauthorized';
      if (!sessionRefused || current === undefined) throw sessionRefused ? refused(error) : error;
      return parse(await post(document, variables, await signIn()), schema);
    }
  }

  return { request, endpoint, http };
}
