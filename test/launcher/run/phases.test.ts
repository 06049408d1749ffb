import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../../protocol/messages.js';
import { tools } from '../../../protocol/runs.js';
import { phasesOf } from '../../../launcher/run/phases.js';
import { pulumiChanges, terraformChanges, toolTable } from '../../../launcher/run/tools.js';
import { assignment } from '../../protocol/support/messages.js';

const hooks = {
  beforeInit: ['bi'],
  afterInit: ['ai'],
  beforePlan: ['bp1', 'bp2'],
  afterPlan: ['ap'],
  beforeApply: ['ba'],
  afterApply: ['aa'],
  beforePerform: ['bf'],
  afterPerform: ['af'],
};
const commands = { plan: ['P'], apply: ['A'], destroy: ['D'] };

function scripts(changes: Partial<Assignment>): Record<string, string[]> {
  const phases = phasesOf({ ...assignment, tool: 'commands', hooks, commands, ...changes });
  return Object.fromEntries(phases.map(({ state, steps }) => [state, steps.map(({ script }) => script)]));
}

describe('the phases of a stage', () => {
  it('have the hooks around them', () => {
    expect(scripts({ stage: 'PLAN' })).toEqual({
      INITIALIZING: ['bi', 'ai'],
      PLANNING: ['bp1', 'bp2', 'P', 'ap'],
    });
    expect(scripts({ stage: 'APPLY' })).toEqual({ APPLYING: ['ba', 'A', 'aa'] });
    expect(scripts({ stage: 'PERFORM', task: 'T' })).toEqual({
      INITIALIZING: ['bi', 'ai'],
      PERFORMING: ['bf', 'T', 'af'],
    });
    expect(scripts({ stage: 'DESTROY' })).toEqual({
      INITIALIZING: ['bi', 'ai'],
      DESTROYING: ['ba', 'D', 'aa'],
    });
  });

  it('are there for every tool and stage', () => {
    for (const tool of tools) {
      for (const stage of ['PLAN', 'APPLY', 'DESTROY'] as const) {
        const phases = phasesOf({ ...assignment, tool, stage, hooks, commands });
        expect(phases.at(-1)?.steps.length, `${tool} ${stage}`).toBeGreaterThan(0);
      }
    }
    expect(Object.keys(toolTable).sort()).toEqual(tools.filter((tool) => tool !== 'commands').sort());
  });
});

describe('what a plan would change', () => {
  const plan = (...actions: string[][]) =>
    JSON.stringify({ resource_changes: actions.map((list) => ({ change: { actions: list } })) });

  it('is read from a plan of OpenTofu or Terraform', () => {
    expect(
      terraformChanges(plan(['create'], ['create'], ['update'], ['delete', 'create'], ['no-op'])),
    ).toEqual({
      add: 3,
      change: 1,
      destroy: 1,
      any: true,
    });
    expect(terraformChanges(plan(['no-op'], ['read']))).toMatchObject({ any: false });
    expect(terraformChanges('{}')).toEqual({ add: 0, change: 0, destroy: 0, any: false });
    expect(terraformChanges(JSON.stringify({ output_changes: { a: { actions: ['create'] } } })).any).toBe(
      true,
    );
    expect(() => terraformChanges('Error: no plan')).toThrow(/not the JSON/);
  });

  it('is read from a preview of Pulumi', () => {
    const preview = (changeSummary: object) => JSON.stringify({ changeSummary });
    expect(pulumiChanges(preview({ create: 2, same: 5 }))).toEqual({
      add: 2,
      change: 0,
      destroy: 0,
      any: true,
    });
    expect(pulumiChanges(preview({ same: 5 }))).toMatchObject({ any: false });
    expect(pulumiChanges('{}')).toMatchObject({ any: false });
  });
});
