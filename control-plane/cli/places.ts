// The variables that move parts of the control plane out of its data folder. They hold passwords, so they are no flags.
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { faultsError, messageOf } from '../../protocol/errors.js';
import type { Places } from '../foundation.js';

const url = (protocols: readonly string[], example: string) =>
  z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)), {
      message: `expected a URL such as ${example}`,
    })
    .optional();

const secretsKey = z
  .string()
  .min(32, 'expected at least 32 characters, as `openssl rand -base64 32` gives them')
  .optional();

const schema = z.object({
  DATABASE_URL: url(['postgres', 'postgresql'], 'postgres://user:password@host:5432/poolwright'),
  SECRETS_KEY: secretsKey,
  SECRETS_KEY_FILE: z.string().optional(),
  SECRETS_KEY_PREVIOUS: secretsKey,
  SECRETS_KEY_PREVIOUS_FILE: z.string().optional(),
  BROKER_URL: url(['mqtts', 'ssl', 'tls'], 'mqtts://mqtt.example.com:8883'),
  BROKER_CA: z.string().optional(),
  BROKER_CERT: z.string().optional(),
  BROKER_KEY: z.string().optional(),
  OBJECT_STORE_URL: url(['file', 's3', 'azure', 'gs'], 's3://bucket/prefix'),
  DATABASE_CONNECTIONS: z.coerce
    .number('expected a whole number from 2 to 500')
    .int()
    .min(2)
    .max(500)
    .optional(),
});

export const placesHelp = `
Variables:
  DATABASE_URL          PostgreSQL 15 or later in the place of the embedded database
  DATABASE_CONNECTIONS  connections to it at most (10)
  SECRETS_KEY_FILE      file with a key that the control plane's own secrets are sealed with in that
                        database; or the key itself in SECRETS_KEY
  SECRETS_KEY_PREVIOUS_FILE
                        the key before it, until everything is sealed with the new one
  BROKER_URL            MQTT broker with shared subscriptions in the place of the embedded one
  BROKER_CA             its authorities, a PEM file; besides the own authority
  BROKER_CERT           certificate and key of the control plane there, PEM files (default: of the own
  BROKER_KEY            authority, with the name control-plane)
  OBJECT_STORE_URL      file:///folder, s3://bucket/prefix, azure://account/container/prefix or
                        gs://bucket/prefix for workspaces and logs
With DATABASE_URL, BROKER_URL and OBJECT_STORE_URL any number of processes work side by side.`;

/** An empty variable counts as not set. Throws INVALID_SETTINGS with all faults; never with a value, which may hold a password. */
export function placesOf(environment: Readonly<Record<string, string | undefined>>): Places {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  for (const name of ['SECRETS_KEY', 'SECRETS_KEY_PREVIOUS']) {
    const file = set[`${name}_FILE`];
    if (file !== undefined) set[name] ??= readKey(`${name}_FILE`, file);
  }
  const checked = schema.safeParse(set);
  if (!checked.success) {
    const faults = checked.error.issues.map(({ path, message }) => ({
      path: path.join('.'),
      reason: message,
    }));
    throw faultsError('INVALID_SETTINGS', 'The environment', faults);
  }
  const { data } = checked;
  if ((data.BROKER_CERT === undefined) !== (data.BROKER_KEY === undefined)) {
    const reason = 'BROKER_CERT and BROKER_KEY belong together: expected both or neither';
    throw faultsError('INVALID_SETTINGS', 'The environment', [{ path: 'BROKER_CERT', reason }]);
  }
  if (data.SECRETS_KEY_PREVIOUS !== undefined && data.SECRETS_KEY === undefined) {
    const reason = 'expected the key that takes its place in SECRETS_KEY_FILE';
    throw faultsError('INVALID_SETTINGS', 'The environment', [{ path: 'SECRETS_KEY_PREVIOUS', reason }]);
  }
  return {
    databaseUrl: data.DATABASE_URL,
    databaseConnections: data.DATABASE_CONNECTIONS,
    secretsKey: data.SECRETS_KEY,
    previousSecretsKey: data.SECRETS_KEY_PREVIOUS,
    brokerUrl: data.BROKER_URL,
    brokerCaFile: data.BROKER_CA,
    brokerCertFile: data.BROKER_CERT,
    brokerKeyFile: data.BROKER_KEY,
    objectStoreUrl: data.OBJECT_STORE_URL,
  };
}

function readKey(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const reason = `the file ${file} cannot be read (${messageOf(error)})`;
    throw faultsError('INVALID_SETTINGS', 'The environment', [{ path: name, reason }]);
  }
}
