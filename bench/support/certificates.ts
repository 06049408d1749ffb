// Certificates for the bare broker: the same kinds of keys as the control plane's.
import {
  createAuthority,
  issuePoolCertificate,
  issueServerCertificate,
} from '../../protocol/certificates.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { ulid } from 'ulid';

export interface ClientCredentials {
  readonly certificate: string;
  readonly privateKey: string;
  readonly authority: string;
}

export async function generateRequestFor() {
  const now = Date.now();
  const authority = await createAuthority({ now });
  const server = await issueServerCertificate({ authority, hosts: ['127.0.0.1'], now });
  const { privateKey, request } = await generateKeyAndRequest();
  const { certificate } = await issuePoolCertificate({ authority, csr: request, pool: ulid(), now });
  return {
    server: { ...server, authority: authority.certificate },
    client: { certificate, privateKey, authority: authority.certificate } satisfies ClientCredentials,
  };
}
