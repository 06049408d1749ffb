// The tools that stacks can name, in one table: how each is initialised, planned, applied and destroyed.
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import type { Tool } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';
import { pulumiOutputsStep, terraformOutputsStep } from './outputs.js';
import type { PhaseStep } from './phase.js';

export interface ToolSteps {
  /** Before every first stage. */
  readonly initialise: readonly PhaseStep[];
  readonly plan: readonly PhaseStep[];
  /** In the workspace that the plan left. */
  readonly apply: readonly PhaseStep[];
  readonly destroy: readonly PhaseStep[];
  /** After the apply and the destroy, where the tool has outputs. */
  readonly outputs?: readonly PhaseStep[];
}

const planFile = 'poolwright.tfplan';

/** Says in plain words when the image or machine lacks the program, instead of the shell's `not found`. */
function needs(program: string, name: string): PhaseStep {
  return {
    name: `find ${program}`,
    script: `command -v ${program} >/dev/null || { echo "${name} (${program}) is not installed where this run is executed. Use a runner image that has it, or install it on the worker." >&2; exit 127; }`,
  };
}

/** OpenTofu and Terraform differ in the name of the program. */
function terraformLike(program: string, name: string): ToolSteps {
  return {
    initialise: [needs(program, name), { name: 'init', script: `${program} init -input=false` }],
    plan: [
      // 0: nothing to do, 2: changes. https://opentofu.org/docs/cli/commands/plan/
      {
        name: 'plan',
        script: `${program} plan -input=false -detailed-exitcode -out=${planFile}`,
        success: [0, 2],
      },
      { name: 'read the plan', script: `${program} show -json ${planFile}`, readChanges: terraformChanges },
    ],
    apply: [{ name: 'apply', script: `${program} apply -input=false ${planFile}` }],
    destroy: [{ name: 'destroy', script: `${program} destroy -input=false -auto-approve` }],
    outputs: [terraformOutputsStep(program)],
  };
}

export const toolTable: Readonly<Record<Exclude<Tool, 'commands'>, ToolSteps>> = {
  opentofu: terraformLike('tofu', 'OpenTofu'),
  terraform: terraformLike('terraform', 'Terraform'),
  pulumi: {
    initialise: [
      needs('pulumi', 'Pulumi'),
      {
        name: 'select the stack',
        script:
          ': "${PULUMI_STACK:?Set the variable PULUMI_STACK of this stack to the Pulumi stack to work on.}"\npulumi stack select --create --non-interactive "$PULUMI_STACK"\npulumi install --non-interactive',
      },
    ],
    plan: [
      { name: 'preview', script: 'pulumi preview --non-interactive --diff' },
      {
        name: 'read the preview',
        script: 'pulumi preview --non-interactive --json 2>/dev/null',
        readChanges: pulumiChanges,
      },
    ],
    apply: [{ name: 'up', script: 'pulumi up --non-interactive --yes --skip-preview' }],
    destroy: [{ name: 'destroy', script: 'pulumi destroy --non-interactive --yes --skip-preview' }],
    outputs: [pulumiOutputsStep],
  },
  ansible: {
    initialise: [
      needs('ansible-playbook', 'Ansible'),
      {
        name: 'install requirements',
        script: 'if [ -f requirements.yml ]; then ansible-galaxy install -r requirements.yml; fi',
      },
    ],
    plan: [{ name: 'check', script: 'ansible-playbook --check --diff "${ANSIBLE_PLAYBOOK:-playbook.yml}"' }],
    apply: [{ name: 'play', script: 'ansible-playbook "${ANSIBLE_PLAYBOOK:-playbook.yml}"' }],
    destroy: [
      {
        name: 'play the destroying playbook',
        script:
          ': "${ANSIBLE_DESTROY_PLAYBOOK:?Ansible cannot undo a playbook. Set ANSIBLE_DESTROY_PLAYBOOK to one that removes what this stack made.}"\nansible-playbook "$ANSIBLE_DESTROY_PLAYBOOK"',
      },
    ],
  },
  kubernetes: {
    initialise: [needs('kubectl', 'kubectl')],
    plan: [
      // 0: nothing to do, 1: changes. https://kubernetes.io/docs/reference/kubectl/generated/kubectl_diff/
      { name: 'diff', script: `kubectl diff ${manifests()}`, success: [0, 1] },
    ],
    apply: [{ name: 'apply', script: `kubectl apply ${manifests()}` }],
    destroy: [{ name: 'delete', script: `kubectl delete --ignore-not-found ${manifests()}` }],
  },
};

/** Kustomize where there is a kustomization, otherwise every manifest below the project root. */
function manifests(): string {
  return '$(if [ -f kustomization.yaml ] || [ -f kustomization.yml ]; then echo "-k ."; else echo "-R -f ."; fi)';
}

interface TerraformPlan {
  readonly resource_changes?: readonly { readonly change: { readonly actions: readonly string[] } }[];
  readonly output_changes?: Readonly<Record<string, { readonly actions: readonly string[] }>>;
}

/** Counts as the tool's own summary does: a replacement is one added and one destroyed. */
export function terraformChanges(json: string): Changes {
  const plan = parsed(json, 'plan') as TerraformPlan;
  const actions = (plan.resource_changes ?? []).map(({ change }) => change.actions);
  const count = (action: string) => actions.filter((list) => list.includes(action)).length;
  const changes = { add: count('create'), change: count('update'), destroy: count('delete') };
  const outputs = Object.values(plan.output_changes ?? {}).some(
    (output) => !output.actions.includes('no-op'),
  );
  const moved = actions.some((list) => list.includes('forget'));
  return { ...changes, any: changes.add + changes.change + changes.destroy > 0 || outputs || moved };
}

/** From the `changeSummary` of `pulumi preview --json`. */
export function pulumiChanges(json: string): Changes {
  const { changeSummary = {} } = parsed(json, 'preview') as { changeSummary?: Record<string, number> };
  const of = (...names: string[]) => names.reduce((sum, name) => sum + (changeSummary[name] ?? 0), 0);
  const changes = {
    add: of('create', 'import', 'create-replacement', 'replace'),
    change: of('update'),
    destroy: of('delete', 'delete-replaced', 'replace'),
  };
  const touched = Object.entries(changeSummary).some(([name, count]) => name !== 'same' && count > 0);
  return { ...changes, any: touched };
}

function parsed(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new PoolwrightError(
      'COMMAND_FAILED',
      `The tool's ${what} is not the JSON it is documented to be: ${messageOf(error).slice(0, 60)}.`,
    );
  }
}
