// What the controller itself says of a run: while no pod can be made, and when a pod ended without telling a result.
import { PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import type { WorkState } from '../../protocol/runs.js';
import type { ResultRecord, SpoolRecord } from '../../protocol/worker-api.js';
import type { WorkerApi } from '../run/worker-api.js';

export interface Verdict {
  readonly outcome: Extract<ResultRecord['outcome'], 'failed' | 'stopped'>;
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Appends a line, and a result when there is one, behind what the control plane has. Nobody else may be writing. Throws
 * STALE_ATTEMPT when the attempt no longer counts.
 */
export async function append(
  api: Pick<WorkerApi, 'sendSpool'>,
  entry: {
    readonly state: WorkState;
    readonly line: string;
    readonly verdict?: Verdict;
    readonly now: number;
  },
  signal: AbortSignal,
): Promise<void> {
  const acknowledged = await api.sendSpool(Buffer.alloc(0), signal);
  const t = Math.round(entry.now);
  const records: SpoolRecord[] = [{ n: acknowledged + 1, t, k: 'log', s: entry.state, m: `${entry.line}\n` }];
  const { verdict } = entry;
  if (verdict !== undefined) {
    records.push({
      n: acknowledged + 2,
      t,
      k: 'result',
      outcome: verdict.outcome,
      code: verdict.code,
      message: verdict.message.slice(0, 8192),
      changes: null,
      workspace: null,
      commit: null,
    });
  }
  const body = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  await api.sendSpool(body, signal);
}

export function stale(): PoolwrightError {
  return new PoolwrightError('STALE_ATTEMPT', 'The attempt no longer counts.');
}

export function isStale(error: unknown): boolean {
  return error instanceof PoolwrightError && error.code === 'STALE_ATTEMPT';
}
