// The tables of webhooks as TypeScript sees them.
import type { ColumnType, Selectable } from 'kysely';
import type { RunType } from '../../protocol/runs.js';
import type { GitProvider } from '../webhooks/told.js';

/** Where a Git server tells of pushes to a stack's repository. */
export interface WebhooksTable {
  id: string;
  stack_id: string;
  provider: GitProvider;
  /** Of a secret that comes as it is; null for one that signs, which is sealed. */
  secret_hash: string | null;
  secret_sealed: string | null;
  created_at: number;
  created_by: string | null;
  last_delivery_at: ColumnType<number | null, number | null | undefined, number | null>;
  /** What the last genuine delivery led to, in words. */
  last_outcome: ColumnType<string | null, string | null | undefined, string | null>;
}

/** Deliveries that have counted, so that they do so once. */
export interface WebhookDeliveriesTable {
  webhook_id: string;
  delivery: string;
  at: number;
  result: ColumnType<DeliveryResult, string, string>;
}

export interface DeliveryResult {
  /** It had come before: nothing was started now. */
  readonly repeated: boolean;
  readonly runs: readonly { readonly id: string; readonly type: RunType }[];
  /** Why something of it started nothing. */
  readonly ignored: readonly string[];
}

export type WebhookRow = Selectable<WebhooksTable>;
