// Credentials of a registry, out of a Docker configuration: written down in it, or told by a credential helper.
import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { faultsError, messageOf, PoolwrightError } from '../../protocol/errors.js';
import { ifThere } from '../absent.js';

export interface CredentialsRequest {
  /** Registry of the image, see `registryOf`. */
  readonly registry: string;
  /** Folder with `config.json`. */
  readonly configDirectory: string;
  /** Of this process: where helpers are found, and what they read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** As the engine's API takes them (the header X-Registry-Auth); a token counts more than name and password. */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  /** For which the registry gives tokens, as after `az acr login`. */
  readonly identitytoken?: string;
  /** Shown to the registry as it is. */
  readonly registrytoken?: string;
  readonly serveraddress: string;
}

const entrySchema = z.object({
  /** Base64 of `name:password`; counts more than the two by themselves. */
  auth: z.string().default(''),
  username: z.string().default(''),
  password: z.string().default(''),
  identitytoken: z.string().default(''),
  registrytoken: z.string().default(''),
});
type Entry = z.infer<typeof entrySchema>;

const configSchema = z.object({
  auths: z.record(z.string(), entrySchema).default({}),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).default({}),
});
type Config = z.infer<typeof configSchema>;

const answerSchema = z.object({ Username: z.string(), Secret: z.string().min(1) });

/** Milliseconds that a helper may take: it may have to ask a cloud for a token. */
const helperPatience = 60_000;

/** What a helper says that has no credentials for a registry (docker-credential-helpers, `credentials/error.go`). */
const notFound = 'credentials not found in native keychain';

/** At start: a slip of the pen in the folder's name looks like missing credentials later. Throws INVALID_SETTINGS. */
export async function assertConfigDirectory(path: string | null): Promise<void> {
  if (path === null) return;
  const reason = await stat(path).then(
    (found) => (found.isDirectory() ? undefined : 'it is not a folder'),
    messageOf,
  );
  if (reason === undefined) return;
  throw faultsError('INVALID_SETTINGS', "The launcher's environment", [
    {
      path: 'SPACELIFT_DOCKER_CONFIG_DIR',
      reason: `expected the folder that holds a Docker config.json, and ${path} cannot be used: ${reason}`,
    },
  ]);
}

/** As the Docker command looks them up; undefined when there are none. Throws IMAGE_UNAVAILABLE, or the signal's reason. */
export async function credentialsFor(request: CredentialsRequest): Promise<RegistryCredentials | undefined> {
  const { registry, configDirectory } = request;
  const file = join(configDirectory, 'config.json');
  const config = await readConfig(file);
  if (config === undefined) return undefined;
  const names = namesOf(registry);
  const helper = names.map((name) => config.credHelpers[name]).find(Boolean) ?? config.credsStore;
  if (helper !== undefined) {
    const told = await askHelper(helper, request);
    if (told !== undefined) return told;
  }
  // Where a helper has them, the entry is there and empty.
  const entry = names
    .map((name) => config.auths[name])
    .find((each) => each !== undefined && Object.values(each).some((value) => value !== ''));
  return entry === undefined ? undefined : writtenDown(entry, registry, file);
}

/** Undefined when there is none. */
async function readConfig(file: string): Promise<Config | undefined> {
  const unreadable = (reason: string) =>
    new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${file} cannot be read as a Docker configuration on this worker${reason}.`,
    );
  const content = await ifThere(readFile(file, 'utf8'), undefined).catch((error: unknown) => {
    throw unreadable(` (${messageOf(error)})`);
  });
  if (content === undefined) return undefined;
  try {
    return configSchema.parse(JSON.parse(content));
  } catch {
    // The parser's message may quote the file, and with it a password.
    throw unreadable('');
  }
}

function writtenDown(entry: Entry, registry: string, file: string): RegistryCredentials {
  const { identitytoken, registrytoken } = entry;
  const { username, password } = entry.auth === '' ? entry : pairOf(entry.auth);
  if (username === undefined) {
    throw new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `${file} has an "auth" for ${registry} that is not base64 of name:password; log in to the registry anew.`,
    );
  }
  const given = { username, password, identitytoken, registrytoken };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
    serveraddress: registry,
  };
}

/** `username` is undefined when it is no pair. */
function pairOf(auth: string): { readonly username?: string; readonly password: string } {
  const [, username, password = ''] =
    /^([^:]+):(.*)$/s.exec(Buffer.from(auth, 'base64').toString('utf8')) ?? [];
  // Some programs fill up with zeros, and Docker leaves them out.
  return { ...(username === undefined ? {} : { username }), password: password.replace(/^\0+|\0+$/g, '') };
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
