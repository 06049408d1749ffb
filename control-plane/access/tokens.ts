// Short-lived signed tokens: for API users, for browsers, and for a worker's one attempt at one run or one download.
import { createHmac } from 'node:crypto';
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { z } from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import { unauthorized } from './api-keys.js';

/** Seconds that a token counts. */
export const lifetimes = {
  api: 60 * 60,
  session: 12 * 60 * 60,
  run: 25 * 60 * 60,
  upload: 60 * 60,
  /** As long as workers may be told to take for it, and an hour. */
  release: 25 * 60 * 60,
} as const;
type Purpose = keyof typeof lifetimes;

export interface IssuedToken {
  readonly token: string;
  /** Unix seconds. */
  readonly validUntil: number;
}

/** What the token of a user stands for. */
export interface Session {
  /** Id of the API key. */
  readonly key: string;
  /** The key's `sessions_from` when the token was issued: when the key's sessions are ended it is another one. */
  readonly since: number;
  /** Of a browser's session, see sessions.ts; not given for the API. */
  readonly id?: string | undefined;
}

/** What the token of a worker gives access to. */
export interface RunGrant {
  readonly run: string;
  readonly attempt: number;
  readonly worker: string;
}

export interface Tokens {
  /** For an API key: `api` for the Authorization header, `session` for a browser's cookie. */
  issueUser(purpose: 'api' | 'session', session: Session): Promise<IssuedToken>;
  /** Throws UNAUTHORIZED. Whether the key and its sessions still count, the caller asks `identityOf`. */
  checkUser(purpose: 'api' | 'session', token: string): Promise<Session>;
  issueRun(grant: RunGrant): Promise<IssuedToken>;
  /** Throws UNAUTHORIZED. */
  checkRun(token: string): Promise<RunGrant>;
  issueUpload(upload: string): Promise<IssuedToken>;
  /** Answers the id of the upload. Throws UNAUTHORIZED. */
  checkUpload(token: string): Promise<string>;
  /** For workers that are offered a launcher release. */
  issueRelease(release: string): Promise<IssuedToken>;
  /** Answers the id of the release. Throws UNAUTHORIZED. */
  checkRelease(token: string): Promise<string>;
}

/** Tokens of earlier versions have no `since`. */
const sessionSchema = z.object({ sub: z.string(), since: z.int().default(0), jti: z.string().optional() });
const grantSchema = z.object({ sub: z.string(), attempt: z.int().min(1), worker: z.string() });

/** Each purpose has a key of its own, so a token of one never counts as another. `secret`: 256 random bits as text. */
export function createTokens(secret: string, clock: Clock): Tokens {
  const keyOf = (purpose: Purpose) => createHmac('sha256', secret).update(purpose).digest();

  async function issue(purpose: Purpose, subject: string, claims: JWTPayload = {}): Promise<IssuedToken> {
    const issuedAt = Math.floor(clock.now() / 1000);
    const validUntil = issuedAt + lifetimes[purpose];
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(subject)
      .setIssuedAt(issuedAt)
      .setExpirationTime(validUntil)
      .sign(keyOf(purpose));
    return { token, validUntil };
  }

  async function check(purpose: Purpose, token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, keyOf(purpose), {
        algorithms: ['HS256'],
        currentDate: new Date(clock.now()),
        requiredClaims: ['sub', 'exp'],
      });
      return payload;
    } catch (error) {
      // Why a token is refused is nobody's business but the log's, which gets it as the cause.
      throw new PoolwrightError('UNAUTHORIZED', unauthorized().message, { cause: error });
    }
  }

  const subject = (payload: JWTPayload) => {
    if (payload.sub === undefined) throw unauthorized();
    return payload.sub;
  };

  return {
    issueUser: (purpose, { key, since, id }) =>
      issue(purpose, key, { since, ...(id === undefined ? {} : { jti: id }) }),
    async checkUser(purpose, token) {
      const { sub, since, jti } = sessionSchema.parse(await check(purpose, token));
      return { key: sub, since, id: jti };
    },
    issueRun: ({ run, attempt, worker }) => issue('run', run, { attempt, worker }),
    async checkRun(token) {
      const { sub, attempt, worker } = grantSchema.parse(await check('run', token));
      return { run: sub, attempt, worker };
    },
    issueUpload: (upload) => issue('upload', upload),
    checkUpload: async (token) => subject(await check('upload', token)),
    issueRelease: (release) => issue('release', release),
    checkRelease: async (token) => subject(await check('release', token)),
  };
}
