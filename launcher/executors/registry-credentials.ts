// Credentials of a registry, out of a Docker configuration: written down in it, or told by a credential helper.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';

export interface CredentialsRequest {
  /** Registry of the image, see `registryOf`. */
  readonly registry: string;
  /** Folder with `config.json`. */
  readonly configDirectory: string;
  /** Of this process: where helpers are found, and what they read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** As the engine's API takes them. */
export type RegistryCredentials =
  | { readonly username: string; readonly password: string; readonly serveraddress: string }
  | { readonly identitytoken: string; readonly serveraddress: string };

const configSchema = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).default({}),
});

const answerSchema = z.object({ Username: z.string(), Secret: z.string().min(1) });

/** Milliseconds that a helper may take: it may have to ask a cloud for a token. */
const helperPatience = 60_000;

/** What a helper says that has no credentials for a registry (docker-credential-helpers, `credentials/error.go`). */
const notFound = 'credentials not found in native keychain';

/** As the Docker command looks them up; undefined when there are none. Throws IMAGE_UNAVAILABLE, or the signal's reason. */
export async function credentialsFor(request: CredentialsRequest): Promise<RegistryCredentials | undefined> {
  const { registry, configDirectory } = request;
  const file = join(configDirectory, 'config.json');
  let config: z.infer<typeof configSchema>;
  try {
    config = configSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    // The parser's message may quote the file, and with it a password.
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${file} cannot be read as a Docker configuration on this worker.`,
    );
  }
  const names = namesOf(registry);
  const helper = names.map((name) => config.credHelpers[name]).find(Boolean) ?? config.credsStore;
  if (helper !== undefined) {
    const told = await askHelper(helper, request);
    if (told !== undefined) return told;
  }
  const auth = names.map((name) => config.auths[name]?.auth).find(Boolean);
  if (auth === undefined) return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1), serveraddress: registry };
}

/** A registry's names in configurations; Docker Hub's is an address from before there were others. */
function namesOf(registry: string): string[] {
  return registry === 'index.docker.io'
    ? ['https://index.docker.io/v1/', registry, 'docker.io']
    : [registry, `https://${registry}`, `https://${registry}/v1/`];
}

/** The protocol of docker-credential-helpers: the registry on standard input, the answer as JSON on standard output. */
async function askHelper(
  helper: string,
  { registry, environment, signal }: CredentialsRequest,
): Promise<RegistryCredentials | undefined> {
  const program = `docker-credential-${helper}`;
  const patience = AbortSignal.timeout(helperPatience);
  const child = spawn(program, ['get'], {
    // The pool's own credentials are nothing of a helper's business.
    env: { ...environment, SPACELIFT_TOKEN: undefined, SPACELIFT_POOL_PRIVATE_KEY: undefined },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, patience]),
  });
  // A helper that does not read has ended, which is told below.
  child.stdin.on('error', () => undefined).end(namesOf(registry)[0]);
  let answer: string;
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    const [output, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    if (code !== 0) {
      if (output.includes(notFound)) return undefined;
      throw new Error((complaint.trim() || output.trim() || `it ended with ${String(code)}`).slice(-300));
    }
    answer = output;
  } catch (error) {
    signal.throwIfAborted();
    const cause = patience.aborted ? `no answer within ${String(helperPatience / 1000)} s` : messageOf(error);
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${program} gives no credentials for ${registry}: ${cause}. It is looked for on the launcher's PATH.`,
      { cause: error },
    );
  }
  try {
    const { Username, Secret } = answerSchema.parse(JSON.parse(answer));
    return Username === '<token>'
      ? { identitytoken: Secret, serveraddress: registry }
      : { username: Username, password: Secret, serveraddress: registry };
  } catch {
    // What it printed may be a secret, so it is not shown.
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${program} gave an answer for ${registry} that is not of a credential helper.`,
    );
  }
}

/** `registry.example.com:5000` of an image's name; Docker Hub when it names none. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const isHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost ? first : 'index.docker.io';
}
