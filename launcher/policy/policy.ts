// The run initialization policy of this worker: checked at start, asked before each run is prepared.
import { readFile } from 'node:fs/promises';
import { faultsError, messageOf, PoolwrightError } from '../../protocol/errors.js';
import { askEngine, findEngine, type EngineAnswer } from './engine.js';
import type { PolicyInput } from './input.js';

export interface Policy {
  /** What the policy printed. Throws RUN_DENIED with every message, also when the policy cannot be evaluated. */
  assertAllowed(input: PolicyInput): Promise<readonly string[]>;
}

export interface PolicyOptions {
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absolute: where an engine may be unpacked; made for it. */
  readonly folder: string;
}

/** Throws INVALID_SETTINGS with file, line and reason of every fault, and UNSUPPORTED without an engine. */
export async function openPolicy({ file, environment, folder }: PolicyOptions): Promise<Policy> {
  const policy = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `The run initialization policy ${file} cannot be read (${messageOf(error)}).`,
    );
  });
  const engine = await findEngine(environment, folder);
  const checked = await askEngine(engine, { file, policy }).catch((error: unknown) => {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `The run initialization policy ${file} cannot be checked: ${messageOf(error)}.`,
    );
  });
  assertNoFaults(file, checked);
  return {
    async assertAllowed(input) {
      const answer = await askEngine(engine, { file, policy, input }).catch((error: unknown) => {
        throw denied([`the policy could not be evaluated, so nothing is allowed: ${messageOf(error)}`]);
      });
      const faults = (answer.faults ?? []).map(placed);
      if (faults.length > 0) throw denied(faults);
      if (answer.denials !== null && answer.denials.length > 0) throw denied(answer.denials);
      return answer.printed ?? [];
    },
  };
}

function placed({ file, line, column, message }: NonNullable<EngineAnswer['faults']>[number]): string {
  return `${file}:${String(line)}:${String(column)}: ${message}`;
}

function assertNoFaults(file: string, { faults }: EngineAnswer): void {
  if (faults === null || faults.length === 0) return;
  throw faultsError(
    'INVALID_SETTINGS',
    `The run initialization policy ${file}`,
    faults.map(({ line, column, message }) => ({
      path: `${file}:${String(line)}:${String(column)}`,
      reason: message,
    })),
  );
}

function denied(messages: readonly string[]): PoolwrightError {
  const lines = messages.map((message) => `  ${message}`).join('\n');
  return new PoolwrightError(
    'RUN_DENIED',
    `The run initialization policy of this worker denies the run:\n${lines}`,
  );
}
