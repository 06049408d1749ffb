// The worker pool token: base64 of a JSON object with all that a launcher needs besides its private key.
// It holds no secret: without the pool's private key nobody can connect with it.
import { createPublicKey, X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { formatBrokerEndpoint, parseBrokerEndpoint, parseWebSocketEndpoint } from './endpoint.js';
import { faultsError, messageOf, PoolwrightError, type Fault } from './errors.js';
import { article, onlyBlock } from './pem.js';
import { ulidSchema } from './topics.js';

const what = 'The worker pool token';

/** Longest token that is looked at, in characters. One with two certificates has about 4,000. */
const maximum = 256 * 1024;

const certificate = z.string().transform((text, context) => {
  return reading(context, () => {
    const { pem } = onlyBlock(text, { code: 'INVALID_TOKEN', what: 'the value', labels: ['CERTIFICATE'] });
    new X509Certificate(pem);
    return pem;
  });
});

const signingKey = z.string().transform((text, context) => {
  return reading(context, () => {
    const { pem } = onlyBlock(text, { code: 'INVALID_TOKEN', what: 'the value', labels: ['PUBLIC KEY'] });
    const { asymmetricKeyType } = createPublicKey(pem);
    if (asymmetricKeyType !== 'ed25519') {
      throw new PoolwrightError('INVALID_TOKEN', `expected an Ed25519 key, got ${String(asymmetricKeyType)}`);
    }
    return pem;
  });
});

const endpoint = z.string().transform((text, context) => {
  return reading(context, () => formatBrokerEndpoint(parseBrokerEndpoint(text)));
});

const webSocket = z.string().transform((text, context) => {
  return reading(context, () => parseWebSocketEndpoint(text).href);
});

export const tokenSchema = z.object({
  v: z.literal(1),
  /** ULID of the pool; also the common name of the certificate. */
  pool: ulidSchema,
  broker: z.object({
    /** `ssl://host:port`. Boot scripts of users read this path. */
    endpoint,
    /** `wss://host/path`: the same over a WebSocket at the API's address. Tokens of earlier versions have none. */
    webSocket: webSocket.optional(),
  }),
  /** PEM. What the broker knows the launcher by, together with the private key. */
  certificate,
  /** PEM, one certificate each: those the launcher trusts for the broker, and besides the system's for HTTPS. */
  authorities: z.array(certificate).min(1, 'expected at least one certificate').max(8),
  /** PEM of the Ed25519 public key that messages to workers are signed with. */
  signingKey,
});

export type PoolToken = z.output<typeof tokenSchema>;

/** Makes the one line that users put into `SPACELIFT_TOKEN`. Throws INVALID_TOKEN with all faults. */
export function encodeToken(token: PoolToken): string {
  return Buffer.from(JSON.stringify(check(token))).toString('base64');
}

/**
 * Reads a token, with or without line ends in it. Unknown fields are dropped.
 * Throws INVALID_TOKEN that lists everything missing or wrong, or says what was given in its place.
 */
export function decodeToken(text: string): PoolToken {
  if (text.length > maximum) {
    throw refused(`it has ${String(text.length)} characters, at most ${String(maximum)} are expected`);
  }
  const compact = text.replaceAll(/\s/g, '');
  if (compact === '') throw refused('it is empty');
  if (compact.startsWith('{')) throw refused('it is JSON; give it as you received it, in base64');
  refuseOtherThings(text);
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact)) throw refused('it is not base64');
  const decoded = Buffer.from(compact, 'base64').toString();
  if (!decoded.trimStart().startsWith('{')) refuseOtherThings(decoded);
  return check(parse(decoded));
}

function parse(json: string): unknown {
  try {
    const value: unknown = JSON.parse(json);
    return value;
  } catch {
    // The parser's own error quotes the input, and what was pasted here by mistake may be a secret.
    throw refused('it is not base64 of JSON; it may have been cut when it was copied');
  }
}

function check(value: unknown): PoolToken {
  const result = tokenSchema.safeParse(value, {
    error: (issue) => (issue.input === undefined ? 'missing' : undefined),
  });
  if (result.success) return result.data;
  const faults: Fault[] = result.error.issues.map(({ path, message }) => ({
    path: path.map(String).join('.') || 'the whole',
    reason: message,
  }));
  throw faultsError('INVALID_TOKEN', what, faults);
}

/** The key, the request and the token look alike in base64, and people exchange them. */
function refuseOtherThings(text: string): void {
  const label = /-----BEGIN ([A-Z0-9 ]{1,64})-----/.exec(text)?.[1];
  if (label === undefined) return;
  const hint = label.endsWith('PRIVATE KEY') ? ' The key belongs into SPACELIFT_POOL_PRIVATE_KEY.' : '';
  throw new PoolwrightError(
    'INVALID_TOKEN',
    `${what} cannot be read: it is ${article(label)}. ` +
      `Expected the token that was shown when the pool was created.${hint}`,
  );
}

function refused(reason: string): PoolwrightError {
  return new PoolwrightError(
    'INVALID_TOKEN',
    `${what} cannot be read: ${reason}. Expected the one line that was shown when the pool was created.`,
  );
}

/** Turns what a reader throws into an issue at the place of the field. */
function reading(context: z.core.$RefinementCtx<string>, read: () => string): string {
  try {
    return read();
  } catch (error) {
    context.addIssue(
      error instanceof PoolwrightError ? error.message : `cannot be read (${messageOf(error)})`,
    );
    return z.NEVER;
  }
}
