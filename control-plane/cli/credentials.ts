// Which control plane a command talks to and with which key: flags, then environment, then profile file.
import { readFile } from 'node:fs/promises';
import { messageOf } from '../../protocol/errors.js';
import { UsageError } from './exit.js';
import { defaultProfileFile, readProfile, type Profile } from './profile.js';

/** The connection flags as commander hands them over. A secret is never a flag: process lists show flags. */
export interface ConnectionFlags {
  readonly endpoint?: string | undefined;
  readonly apiKeyId?: string | undefined;
  readonly apiKeySecretFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly profile?: string | undefined;
}

export interface Credentials {
  readonly endpoint: string;
  readonly apiKeyId: string;
  readonly apiKeySecret: string;
  readonly caFile?: string | undefined;
}

interface Given {
  readonly endpoint?: string | undefined;
  readonly apiKeyId?: string | undefined;
  readonly apiKeySecret?: string | undefined;
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Given {
  const value = (name: string) => {
    const text = environment[name];
    return text === undefined || text === '' ? undefined : text;
  };
  const own = {
    endpoint: value('POOLWRIGHT_ENDPOINT'),
    apiKeyId: value('POOLWRIGHT_API_KEY_ID'),
    apiKeySecret: value('POOLWRIGHT_API_KEY_SECRET'),
  };
  // The two families are never mixed: half a key of one and half of the other fits nothing.
  if (Object.values(own).some((part) => part !== undefined)) return own;
  return {
    endpoint: value('SPACELIFT_API_KEY_ENDPOINT'),
    apiKeyId: value('SPACELIFT_API_KEY_ID'),
    apiKeySecret: value('SPACELIFT_API_KEY_SECRET'),
  };
}

/** The first line of a file, or of stdin for `-`. UsageError when it cannot be read or is empty. */
export async function readSecret(file: string, stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  let text = '';
  try {
    if (file === '-') for await (const chunk of stdin) text += Buffer.from(chunk).toString('utf8');
    else text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`The API key's secret cannot be read from ${file}: ${messageOf(cause)}.`, { cause });
  }
  const secret = text.split('\n', 1)[0]?.trim() ?? '';
  if (secret === '') throw new UsageError(`The API key's secret was expected in ${file}, which is empty.`);
  return secret;
}

/** `https://host/` and `https://host/graphql` name the same control plane. UsageError when it is no such URL. */
export function normalEndpoint(endpoint: string): string {
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch (cause) {
    throw new UsageError(
      `The endpoint "${endpoint}" is not a URL: expected something like https://poolwright.example.com.`,
      { cause },
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UsageError(
      `The endpoint "${endpoint}" has the scheme ${url.protocol} where http: or https: was expected.`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/graphql$/, '');
}

async function profileOf(
  flags: ConnectionFlags,
  environment: NodeJS.ProcessEnv,
): Promise<Profile | undefined> {
  const named = flags.profile ?? environment['POOLWRIGHT_PROFILE'];
  if (named === undefined || named === '') return readProfile(defaultProfileFile(environment));
  const profile = await readProfile(named);
  if (profile === undefined) throw new UsageError(`There is no profile file ${named}.`);
  return profile;
}

/**
 * The endpoint and key for one command. A profile file that was named on purpose goes before the
 * environment, the default one after it. The profile's key is only ever sent to the profile's endpoint.
 * UsageError with all that is missing.
 */
export async function resolveCredentials(
  flags: ConnectionFlags,
  environment: NodeJS.ProcessEnv,
  stdin: AsyncIterable<Uint8Array | string>,
): Promise<Credentials> {
  const profile = await profileOf(flags, environment);
  const fromFlags: Given = {
    endpoint: flags.endpoint,
    apiKeyId: flags.apiKeyId,
    apiKeySecret:
      flags.apiKeySecretFile === undefined ? undefined : await readSecret(flags.apiKeySecretFile, stdin),
  };
  const fallback = flags.profile === undefined ? fromEnvironment(environment) : {};
  const endpoint = fromFlags.endpoint ?? fallback.endpoint ?? profile?.endpoint;
  const sameEndpoint =
    profile !== undefined &&
    endpoint !== undefined &&
    normalEndpoint(endpoint) === normalEndpoint(profile.endpoint);
  const apiKeyId = fromFlags.apiKeyId ?? fallback.apiKeyId ?? (sameEndpoint ? profile.apiKeyId : undefined);
  const apiKeySecret =
    fromFlags.apiKeySecret ??
    fallback.apiKeySecret ??
    (sameEndpoint && apiKeyId === profile.apiKeyId ? profile.apiKeySecret : undefined);

  const missing: string[] = [];
  if (endpoint === undefined) missing.push('the endpoint: --endpoint or POOLWRIGHT_ENDPOINT');
  if (apiKeyId === undefined) missing.push("the API key's id: --api-key-id or POOLWRIGHT_API_KEY_ID");
  if (apiKeySecret === undefined) {
    missing.push("the API key's secret: --api-key-secret-file or POOLWRIGHT_API_KEY_SECRET");
  }
  if (endpoint === undefined || apiKeyId === undefined || apiKeySecret === undefined) {
    throw new UsageError(
      `These are missing:\n${missing.map((line) => `  ${line}`).join('\n')}\nOr keep all of them in a profile with \`poolwright login\`.`,
    );
  }
  const caFile =
    flags.caFile ?? environment['POOLWRIGHT_CA_FILE'] ?? (sameEndpoint ? profile.caFile : undefined);
  return {
    endpoint: normalEndpoint(endpoint),
    apiKeyId,
    apiKeySecret,
    ...(caFile === undefined ? {} : { caFile }),
  };
}
