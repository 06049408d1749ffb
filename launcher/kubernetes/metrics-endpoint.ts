// Where the controller's figures are read: by TLS and with rights, or plain.
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { KubeApi } from './api.js';
import { serveHttp, type HttpEndpoint, type ServerCertificate } from './health.js';
import { createAccessCheck } from './metrics-access.js';
import type { Metrics } from './metrics.js';

export interface MetricsEndpointOptions {
  readonly address: string;
  readonly secure: boolean;
  /** Folder with `tls.crt` and `tls.key`, as a Secret of that type is mounted; empty: a certificate of its own. */
  readonly certificates: string;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly api: Pick<KubeApi, 'create'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds between two looks at the certificate's files, which are exchanged before it expires. */
const lookEvery = 60_000;
const path = '/metrics';

/** Throws PORT_IN_USE, INVALID_ARGUMENT. */
export async function serveMetrics(options: MetricsEndpointOptions): Promise<HttpEndpoint> {
  const { address, secure, certificates, metrics, clock, log } = options;
  const figures = async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() });
  const said = (endpoint: HttpEndpoint) => {
    log.info(`Figures on port ${String(endpoint.port)}, by ${secure ? 'HTTPS with rights' : 'plain HTTP'}`);
    return endpoint;
  };
  if (!secure) return said(await serveHttp(address, { [path]: figures }));

  const check = createAccessCheck(options.api, clock);
  const refuse = (status: number, body: string, headers = {}) => ({
    status,
    type: 'text/plain',
    body,
    headers,
  });
  let certificate = certificates === '' ? await ownCertificate(clock) : await certificateIn(certificates);
  const endpoint = await serveHttp(
    address,
    {
      async [path]({ headers }) {
        let access;
        try {
          access = await check(headers.authorization, path);
        } catch (error) {
          log.warn(`Nobody can read the figures now: the API server cannot be asked: ${messageOf(error)}`);
          return refuse(503, 'the API server cannot be asked who you are\n');
        }
        if (access === 'unknown')
          return refuse(401, 'expected the token of a service account in the header Authorization\n', {
            'www-authenticate': 'Bearer',
          });
        if (access === 'forbidden') return refuse(403, `you may not get the non-resource URL ${path}\n`);
        return figures();
      },
    },
    certificate,
  );

  async function follow(): Promise<void> {
    try {
      const next = await certificateIn(certificates);
      if (next.certificate === certificate.certificate) return;
      endpoint.useCertificate(next);
      certificate = next;
      log.info(`The certificate of ${path} was exchanged.`);
    } catch (error) {
      log.warn(`The certificate of ${path} stays the one that it has: ${messageOf(error)}`);
    }
  }
  let stop = (): unknown => undefined;
  const later = () => {
    stop = clock.after(lookEvery, () => void follow().then(later));
  };
  if (certificates !== '') later();
  return said({
    port: endpoint.port,
    close() {
      stop();
      endpoint.close();
    },
  });
}

/** For a cluster without anybody who issues them: encrypted, and to be taken on trust by the collector. */
async function ownCertificate(clock: Clock): Promise<ServerCertificate> {
  // With the library for certificates, which nothing else in here needs.
  const { createAuthority, issueServerCertificate } = await import('../../protocol/certificates.js');
  const now = clock.now();
  const authority = await createAuthority({ now, name: 'pool controller' });
  return issueServerCertificate({ authority, hosts: [hostname(), 'localhost'], now });
}

async function certificateIn(folder: string): Promise<ServerCertificate> {
  try {
    const [certificate, privateKey] = await Promise.all(
      ['tls.crt', 'tls.key'].map((file) => readFile(join(folder, file), 'utf8')),
    );
    return { certificate: certificate ?? '', privateKey: privateKey ?? '' };
  } catch (error) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `--metrics-cert-path: expected tls.crt and tls.key in ${folder}: ${messageOf(error)}`,
    );
  }
}
