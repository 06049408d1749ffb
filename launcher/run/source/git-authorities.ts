// Whom Git over https trusts: the same as the launcher's own connections, and what the system does. Git has one file for all of
// them and knows nothing of the variables that add some, so one is put together.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere } from '../../absent.js';
import { trustedCertificates } from '../../network/tls.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where distributions keep what the system trusts: Debian and Alpine, Red Hat and Amazon, SUSE, others. */
const systemBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

/**
 * The variables that tell Git; none when nothing is added to what it trusts by itself. `folder`: where the file is put. A
 * file that cannot be read throws the system's error.
 */
export async function gitAuthorities(
  environment: Environment,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const given = environment['GIT_SSL_CAINFO'] ?? '';
  if (given !== '') return { GIT_SSL_CAINFO: given };
  if ([environment['NODE_EXTRA_CA_CERTS'], environment['SSL_CERT_FILE']].every((file) => !file)) return {};
  const bundle = join(folder, 'authorities.pem');
  await writeFile(bundle, [...(await ofSystem()), ...trustedCertificates([], environment), ''].join('\n'));
  return { GIT_SSL_CAINFO: bundle, GIT_PROXY_SSL_CAINFO: bundle };
}

async function ofSystem(): Promise<string[]> {
  for (const file of systemBundles) {
    const text = await ifThere(readFile(file, 'utf8'), undefined);
    if (text !== undefined) return [text];
  }
  return [];
}
