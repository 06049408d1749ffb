// The words for runs that both sides share: states, types, stages, tools and the kinds of end.
import * as z from 'zod';

/** Run states of the public API (docs/protocol.md, "Runs"). */
export const runStates = [
  'QUEUED',
  'READY',
  'PREPARING',
  'INITIALIZING',
  'PLANNING',
  'UNCONFIRMED',
  'CONFIRMED',
  'APPLYING',
  'PERFORMING',
  'DESTROYING',
  'FINISHED',
  'FAILED',
  'STOPPED',
  'CANCELED',
  'DISCARDED',
] as const;
export const runStateSchema = z.enum(runStates);
export type RunState = z.infer<typeof runStateSchema>;

/** Run types of the public API. */
export const runTypes = ['PROPOSED', 'TRACKED', 'TASK', 'TESTING', 'DESTROY'] as const;
export const runTypeSchema = z.enum(runTypes);
export type RunType = z.infer<typeof runTypeSchema>;

/** Read runs change nothing; mounts and variables marked read-only or write-only follow this. */
export function isReadRun(type: RunType): boolean {
  return type === 'PROPOSED' || type === 'TESTING';
}

/**
 * What one assignment asks of a worker. A tracked run is two assignments, PLAN and APPLY, with a
 * confirmation between them; they may go to different workers, the sealed workspace goes along.
 */
export const stages = ['PLAN', 'APPLY', 'PERFORM', 'DESTROY'] as const;
export const stageSchema = z.enum(stages);
export type Stage = z.infer<typeof stageSchema>;

/** States in which a worker executes commands and under which log lines are filed. */
export const workStates = [
  'PREPARING',
  'INITIALIZING',
  'PLANNING',
  'APPLYING',
  'PERFORMING',
  'DESTROYING',
] as const;
export const workStateSchema = z.enum(workStates);
export type WorkState = z.infer<typeof workStateSchema>;

/** The infrastructure-as-code tools a stack can name. `commands` runs only the stack's own commands. */
export const tools = ['opentofu', 'terraform', 'pulumi', 'ansible', 'kubernetes', 'commands'] as const;
export const toolSchema = z.enum(tools);
export type Tool = z.infer<typeof toolSchema>;
