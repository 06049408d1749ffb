// How a worker proves who it is where no client certificate gets through, as over a WebSocket behind a proxy that ends TLS:
// it signs a challenge with the pool's key. What it then is allowed is the same as with the certificate in TLS.
import { constants, sign, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { messageOf, PoolwrightError } from './errors.js';
import { ulidSchema } from './topics.js';

/** Header of the answer to the WebSocket's request: 32 hexadecimal digits, for this connection only. */
export const challengeHeader = 'poolwright-challenge';

/** User name and password of the MQTT connect. */
export interface WorkerProof {
  /** The pool's certificate: base64 of its DER. */
  readonly certificate: string;
  /** Base64 of the signature. */
  readonly signature: string;
}

export interface ProvenIdentity {
  readonly pool: string;
  /** Serial number of the certificate, hexadecimal in upper case. */
  readonly serial: string;
}

/** RSA-PSS with SHA-256, salt as long as the hash (RFC 8017). */
const scheme = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
/** Purpose of a certificate for TLS clients (RFC 5280, 4.2.1.12). */
const clientPurpose = '1.3.6.1.5.5.7.3.2';

/** What is signed: no other use of the key signs a text that begins like this. */
function signedText(challenge: string, worker: string): Buffer {
  return Buffer.from(`poolwright worker proof v1\n${challenge}\n${worker}`);
}

/** `certificate`: PEM. `worker`: the client id that it will connect with. */
export function proveWorker(
  certificate: string,
  privateKey: KeyObject,
  challenge: string,
  worker: string,
): WorkerProof {
  return {
    certificate: new X509Certificate(certificate).raw.toString('base64'),
    signature: sign('sha256', signedText(challenge, worker), { key: privateKey, ...scheme }).toString(
      'base64',
    ),
  };
}

/**
 * Who signed. `authority` (PEM) has to have issued the certificate, for clients, and it has to be valid now. Throws
 * UNAUTHORIZED with the reason.
 */
export function verifyWorkerProof(
  proof: WorkerProof,
  expected: {
    readonly authority: string;
    readonly challenge: string;
    readonly worker: string;
    /** Unix milliseconds. */
    readonly now: number;
  },
): ProvenIdentity {
  const authority = new X509Certificate(expected.authority);
  const certificate = read(proof.certificate);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw refused('the certificate is not from this authority');
  }
  if (certificate.ca || !certificate.keyUsage.includes(clientPurpose)) {
    throw refused('the certificate is not for workers');
  }
  if (expected.now < Date.parse(certificate.validFrom) || expected.now > Date.parse(certificate.validTo)) {
    throw refused('the certificate is not valid now');
  }
  const pool = /^CN=(.*)$/m.exec(certificate.subject)?.[1];
  if (!ulidSchema.safeParse(pool).success) throw refused('the certificate does not name a pool');
  const key = { key: certificate.publicKey, ...scheme };
  const signature = Buffer.from(proof.signature, 'base64');
  if (!verify('sha256', signedText(expected.challenge, expected.worker), key, signature)) {
    throw refused('the signature is not by the key of the certificate, or not of this challenge');
  }
  return { pool: pool as string, serial: certificate.serialNumber };
}

function read(text: string): X509Certificate {
  try {
    return new X509Certificate(Buffer.from(text, 'base64'));
  } catch (error) {
    throw refused(`the certificate cannot be read (${messageOf(error)})`);
  }
}

function refused(reason: string): PoolwrightError {
  return new PoolwrightError('UNAUTHORIZED', `The worker's proof is refused: ${reason}.`);
}
