// The authority of this control plane: its certificates and keys are made at the first start and kept in files.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority, issuePoolCertificate, type Authority } from '../../protocol/certificates.js';
import { createSigningKey } from '../../protocol/signing.js';
import { encodeToken } from '../../protocol/token.js';
import type { PoolAuthority } from '../context.js';
import type { SecretStore } from '../store/secrets.js';

export interface AuthorityFiles {
  readonly authority: Authority;
  /** Signs what is said to workers. */
  readonly signingKey: KeyObject;
  /** Where the authority's certificate is, for clients that have to trust it. */
  readonly certificateFile: string;
}

/** Opens the authority among the secrets, or makes it. `folder` gets its certificate for clients. */
export async function openAuthority(
  secrets: SecretStore,
  folder: string,
  now: number,
): Promise<AuthorityFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Certificate and key in one file: a first start that is killed leaves both or neither.
  const text = await secrets.secret('authority/authority.pem', async () => {
    const made = await createAuthority({ now });
    return `${made.certificate.trim()}\n${made.privateKey.trim()}\n`;
  });
  const border = text.indexOf('-----BEGIN PRIVATE KEY-----');
  const authority = { certificate: text.slice(0, border), privateKey: text.slice(border) };
  const signingKey = await secrets.secret('authority/signing-key.pem', () =>
    createSigningKey().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const certificateFile = join(folder, 'certificate.pem');
  await writeFile(certificateFile, authority.certificate);
  return { authority, signingKey: createPrivateKey(signingKey), certificateFile };
}

/** How launchers reach the broker; known once it listens. */
export interface BrokerEndpoints {
  /** `ssl://host:port` */
  brokerEndpoint(): string;
  /** `wss://host/path`; undefined where the broker is not ours. */
  webSocketEndpoint(): string | undefined;
}

/** `brokerAuthorities`: PEM, of a broker elsewhere. */
export function createPoolAuthority(
  files: AuthorityFiles,
  endpoints: BrokerEndpoints,
  brokerAuthorities: readonly string[] = [],
): PoolAuthority {
  const signingKey = createPublicKey(files.signingKey).export({ type: 'spki', format: 'pem' }).toString();
  return {
    async issue({ csr, pool, now }) {
      const { certificate, serial, publicKey } = await issuePoolCertificate({
        authority: files.authority,
        csr,
        pool,
        now,
      });
      return { certificate, serial, publicKey };
    },
    token: (pool, certificate) =>
      encodeToken({
        v: 1,
        pool,
        broker: { endpoint: endpoints.brokerEndpoint(), webSocket: endpoints.webSocketEndpoint() },
        certificate,
        authorities: [files.authority.certificate, ...brokerAuthorities],
        signingKey,
      }),
  };
}
