// The variables that move parts of the control plane out of its data folder. They hold passwords, so they are no flags.
import * as z from 'zod';
import { faultsError } from '../../protocol/errors.js';
import type { Places } from '../foundation.js';

const url = (protocols: readonly string[], example: string) =>
  z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)), {
      message: `expected a URL such as ${example}`,
    })
    .optional();

const schema = z.object({
  DATABASE_URL: url(['postgres', 'postgresql'], 'postgres://user:password@host:5432/poolwright'),
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
  DATABASE_CONNECTIONS  connections to it at most (10)`;

/** An empty variable counts as not set. Throws INVALID_SETTINGS with all faults; never with a value, which may hold a password. */
export function placesOf(environment: Readonly<Record<string, string | undefined>>): Places {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const checked = schema.safeParse(set);
  if (!checked.success) {
    const faults = checked.error.issues.map(({ path, message }) => ({
      path: path.join('.'),
      reason: message,
    }));
    throw faultsError('INVALID_SETTINGS', 'The environment', faults);
  }
  const { DATABASE_URL, DATABASE_CONNECTIONS } = checked.data;
  return { databaseUrl: DATABASE_URL, databaseConnections: DATABASE_CONNECTIONS };
}
