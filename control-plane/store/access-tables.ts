// The tables of API keys, spaces, the audit log and the control plane's own secrets as TypeScript sees them.
import type { ColumnType } from 'kysely';
import type { Defaulted } from './columns.js';

export interface ApiKeysTable {
  id: string;
  name: string;
  /** Hash of the secret, see access/api-keys.ts. */
  secret_hash: string;
  role: 'administrator' | 'operator' | 'reader';
  created_at: number;
  revoked_at: number | null;
  /** Where its role counts, with all spaces below. */
  spaces: ColumnType<readonly string[], string | undefined, string>;
  /** Name of the key that made it. */
  created_by: Defaulted<string | null>;
  expires_at: Defaulted<number | null>;
  /** Changed when its sessions are ended; tokens carry what it was when they were issued. */
  sessions_from: Defaulted<number>;
  /** Of a person who signs in elsewhere: issuer and subject there. Such a row has no secret. */
  subject: Defaulted<string | null>;
}

export interface SpacesTable {
  id: string;
  name: string;
  description: string;
  /** Null for `root` only. */
  parent: string | null;
  created_at: number;
  updated_at: number;
}

/** People who are signed in with a browser, see access/sessions.ts. */
export interface BrowserSessionsTable {
  id: string;
  key_id: string;
  /** When it is over at the latest. */
  until: number;
}

export interface AuditEntriesTable {
  id: string;
  at: number;
  key_id: string;
  /** Name of the key. */
  username: string;
  address: string | null;
  action: string;
  resource_type: string;
  resource_id: string;
  /** Null: for administrators only. */
  space: string | null;
  before: ColumnType<unknown, string | null, never>;
  after: ColumnType<unknown, string | null, never>;
}

/** Codes of one-time links that were not used yet. */
export interface SignInCodesTable {
  code_hash: string;
  key_id: string;
  expires_at: number;
}

/** Secrets of the control plane itself, when several processes share them. */
export interface SecretsTable {
  name: string;
  value: string;
  created_at: number;
}
