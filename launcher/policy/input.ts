// What a run initialization policy gets to see. docs/policies.md describes it; `launcher policy input` shows one. The names
// are those that policies for Spacelift use; what a worker does not know is absent.
import type { Assignment } from '../../protocol/messages.js';

export interface PolicyWorker {
  /** Image when the stack names none. */
  readonly defaultImage: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `now`: Unix milliseconds. */
export function policyInput(assignment: Assignment, worker: PolicyWorker, now: number) {
  const { source, hooks } = assignment;
  const git = source.kind === 'git' ? source : undefined;
  const commit = git === undefined ? {} : { branch: git.branch, hash: git.commit };
  return {
    commit,
    request: { timestamp_ns: now * 1_000_000 },
    run: {
      id: assignment.run,
      type: assignment.runType,
      state: 'PREPARING',
      stage: assignment.stage,
      based_on_local_workspace: source.kind === 'archive',
      command: assignment.task,
      commit,
      runtime_config: {
        before_init: hooks.beforeInit,
        after_init: hooks.afterInit,
        before_plan: hooks.beforePlan,
        after_plan: hooks.afterPlan,
        before_apply: hooks.beforeApply,
        after_apply: hooks.afterApply,
        before_perform: hooks.beforePerform,
        after_perform: hooks.afterPerform,
        environment: assignment.environment.map(({ name }) => name),
        project_root: assignment.projectRoot,
        runner_image: assignment.runnerImage ?? worker.defaultImage,
      },
    },
    stack: {
      id: assignment.stack,
      name: assignment.stack,
      tool: assignment.tool,
      commands: assignment.commands,
      branch: git?.branch ?? null,
      repository: git?.repository ?? null,
      project_root: assignment.projectRoot,
    },
    worker: { id: assignment.worker, pool: assignment.pool, metadata: worker.metadata },
  };
}

export type PolicyInput = ReturnType<typeof policyInput>;
