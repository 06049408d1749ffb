// Valid messages to start from, and ids to fill them with.
import type { z } from 'zod';
import type { Assignment, DownMessage, registerSchema } from '../../../protocol/messages.js';

export const pool = '01HZ0000000000000000000P00';
export const worker = '01HZ0000000000000000000W00';
export const run = '01HZ0000000000000000000R00';
export const session = 'a'.repeat(32);

/** A ULID that ends with the number. */
export function ulid(number: number): string {
  return `01HZ${String(number).padStart(22, '0')}`;
}

const start = 1_700_000_000_000;

/** What all messages to a worker have in common; lives for 15 seconds. */
export const down = {
  v: 1,
  id: ulid(1),
  pool,
  worker,
  session,
  issuedAt: start,
  expiresAt: start + 15_000,
} as const;

export const registered: DownMessage = { ...down, type: 'registered', drained: false };
export const leave: DownMessage = { ...down, type: 'leave', immediate: false, reason: 'the pool is cycled' };

export const assignment: Assignment = {
  ...down,
  type: 'assignment',
  run,
  attempt: 1,
  stack: 'example',
  runType: 'TRACKED',
  stage: 'PLAN',
  tool: 'opentofu',
  runnerImage: null,
  projectRoot: null,
  source: { kind: 'none' },
  workspace: null,
  hooks: {
    beforeInit: [],
    afterInit: [],
    beforePlan: [],
    afterPlan: [],
    beforeApply: [],
    afterApply: [],
    beforePerform: [],
    afterPerform: [],
  },
  commands: { plan: [], apply: [], destroy: [] },
  task: null,
  environment: [{ name: 'NAME', value: { kind: 'plain', text: 'välue' } }],
  bulk: { endpoint: 'https://localhost:4280', token: 'token' },
};

export const register: z.infer<typeof registerSchema> = {
  v: 1,
  session,
  at: start,
  type: 'register',
  metadata: { instance_id: 'i-0123' },
  version: '0.1.0',
  executor: 'host',
  held: null,
  leaving: false,
};
