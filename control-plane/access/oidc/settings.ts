// The settings of signing in by OpenID Connect: one JSON file, checked as a whole.
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { faultsError, messageOf, PoolwrightError } from '../../../protocol/errors.js';

const ruleSchema = z.strictObject({
  /** Name of a claim; its value has to be `value`, or a list with it. */
  claim: z.string().min(1),
  value: z.union([z.string(), z.number(), z.boolean()]),
  role: z.enum(['administrator', 'operator', 'reader']),
  spaces: z.array(z.string().min(1)).min(1).default(['root']),
});
export type RoleRule = z.infer<typeof ruleSchema>;

const secure = (text: string) => {
  const { protocol, hostname } = new URL(text);
  // Plain HTTP for a provider on this machine only: to try it.
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
};

const schema = z.strictObject({
  issuer: z
    .string()
    .refine((text) => URL.canParse(text) && secure(text), 'expected a URL such as https://login.example.com'),
  clientId: z.string().min(1),
  /** A file, so that the settings themselves hold no secret. Without it: a public client. */
  clientSecretFile: z.string().optional(),
  /** On the button. */
  label: z.string().min(1).max(100).default('OpenID Connect'),
  scopes: z.array(z.string().min(1)).default(['openid', 'profile', 'email']),
  /** The first of these claims that is there is what people are called. */
  nameClaims: z.array(z.string().min(1)).min(1).default(['email', 'preferred_username', 'name', 'sub']),
  /** The first that holds gives role and spaces; whoever has none may not sign in. */
  roles: z.array(ruleSchema).min(1),
});

export interface OidcSettings extends Omit<z.infer<typeof schema>, 'clientSecretFile'> {
  readonly clientSecret?: string | undefined;
}

/** Throws INVALID_SETTINGS with all faults. */
export async function readOidcSettings(file: string): Promise<OidcSettings> {
  const { data, error } = schema.safeParse(parse(await read(file), file));
  if (error !== undefined) {
    const faults = error.issues.map(({ path, message }) => ({
      path: path.map(String).join('.'),
      reason: message,
    }));
    throw faultsError('INVALID_SETTINGS', `The file ${file}`, faults);
  }
  const { clientSecretFile, ...settings } = data;
  const scopes = settings.scopes.includes('openid') ? settings.scopes : ['openid', ...settings.scopes];
  if (clientSecretFile === undefined) return { ...settings, scopes };
  return { ...settings, scopes, clientSecret: (await read(clientSecretFile)).trim() };
}

function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PoolwrightError('INVALID_SETTINGS', `The file ${file} cannot be read (${messageOf(error)}).`);
  });
}

function parse(text: string, file: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    throw new PoolwrightError('INVALID_SETTINGS', `The file ${file} is not JSON (${messageOf(error)}).`);
  }
}
