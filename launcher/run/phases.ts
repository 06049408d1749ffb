// What a stage consists of: the tool's steps with the stack's hooks around them.
import type { Assignment, Hooks } from '../../protocol/messages.js';
import type { Phase, PhaseStep } from './phase.js';
import { toolTable, type ToolSteps } from './tools.js';

/**
 * PLAN: initialise, plan. APPLY: apply, in the workspace that the plan left. PERFORM: initialise, the task's
 * command. DESTROY: initialise, destroy, with the apply hooks around it, since it changes things as an apply does.
 */
export function phasesOf(assignment: Assignment): readonly Phase[] {
  const { hooks, stage } = assignment;
  const tool = stepsOf(assignment);
  // Before the hooks: what they do with what was made is nothing that other stacks would wait for.
  const outputs = assignment.outputs === true ? (tool.outputs ?? []) : [];
  const initialising: Phase = {
    state: 'INITIALIZING',
    steps: around(hooks, 'beforeInit', tool.initialise, 'afterInit'),
  };
  switch (stage) {
    case 'PLAN':
      return [
        initialising,
        { state: 'PLANNING', steps: around(hooks, 'beforePlan', tool.plan, 'afterPlan') },
      ];
    case 'APPLY':
      return [
        { state: 'APPLYING', steps: around(hooks, 'beforeApply', [...tool.apply, ...outputs], 'afterApply') },
      ];
    case 'PERFORM': {
      const task: PhaseStep = { name: 'task', script: assignment.task ?? '' };
      return [
        initialising,
        { state: 'PERFORMING', steps: around(hooks, 'beforePerform', [task], 'afterPerform') },
      ];
    }
    case 'DESTROY':
      return [
        initialising,
        {
          state: 'DESTROYING',
          steps: around(hooks, 'beforeApply', [...tool.destroy, ...outputs], 'afterApply'),
        },
      ];
  }
}

function stepsOf({ tool, commands }: Assignment): ToolSteps {
  if (tool !== 'commands') return toolTable[tool];
  return {
    initialise: [],
    plan: numbered('plan', commands.plan),
    apply: numbered('apply', commands.apply),
    destroy: numbered('destroy', commands.destroy),
  };
}

function around(
  hooks: Hooks,
  before: keyof Hooks,
  steps: readonly PhaseStep[],
  after: keyof Hooks,
): readonly PhaseStep[] {
  return [...numbered(snake(before), hooks[before]), ...steps, ...numbered(snake(after), hooks[after])];
}

function numbered(name: string, scripts: readonly string[]): PhaseStep[] {
  return scripts.map((script, index) => ({ name: `${name} ${String(index + 1)}`, script }));
}

/** `beforeInit` → `before_init`, as users write it. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
