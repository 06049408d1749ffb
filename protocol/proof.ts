// A registration proves that the worker has the pool's private key, also where the broker does not tell whose
// certificate a message came with. So a worker of before a reset cannot register, whatever the broker lets in.
import { sign, verify, type KeyObject } from 'node:crypto';

export interface Registrant {
  readonly pool: string;
  readonly worker: string;
  readonly session: string;
  /** As in the message. */
  readonly at: number;
}

/** base64 of an RSA signature (PKCS #1 v1.5, SHA-256) with the pool's private key. */
export function proveRegistration(registrant: Registrant, privateKey: KeyObject): string {
  return sign('sha256', textOf(registrant), privateKey).toString('base64');
}

export function isProven(
  registrant: Registrant,
  proof: string | undefined,
  publicKey: KeyObject | string,
): boolean {
  return proof !== undefined && verify('sha256', textOf(registrant), publicKey, Buffer.from(proof, 'base64'));
}

function textOf({ pool, worker, session, at }: Registrant): Buffer {
  return Buffer.from(`poolwright/v1 register ${pool} ${worker} ${session} ${String(at)}`);
}
