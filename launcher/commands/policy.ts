// `launcher policy`: shows what a policy gets to see, and tries one without a run.
import { readFile } from 'node:fs/promises';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import { policyInput, type PolicyInput } from '../policy/input.js';
import { openPolicy } from '../policy/policy.js';
import { inTemporaryFolder } from './temporary-folder.js';

export const policyHelp = `launcher policy – run initialization policies (SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY)

Usage:
  launcher policy input                      print an example of what a policy gets as \`input\`
  launcher policy check FILE                 say whether FILE can be used
  launcher policy check FILE --input FILE    ask it about that input, too

Exit codes: 0 allowed or usable, 1 denied, 2 the policy or the arguments are wrong.
`;

/** Answers the exit code. */
export async function policyCommand(
  args: readonly string[],
  print: (text: string) => void,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const [verb, file, option, inputFile, ...rest] = args;
  if (verb === 'input' && file === undefined) {
    print(`${JSON.stringify(exampleInput(), null, 2)}\n`);
    return 0;
  }
  const asked = option === '--input' && inputFile !== undefined;
  if (verb !== 'check' || file === undefined || rest.length > 0 || (option !== undefined && !asked)) {
    print(policyHelp);
    return verb === '--help' || verb === '-h' ? 0 : 2;
  }
  return inTemporaryFolder(async (folder) => {
    const policy = await openPolicy({ file, environment, folder });
    if (!asked) {
      print(`${file} can be used.\n`);
      return 0;
    }
    try {
      const printed = await policy.assertAllowed(await readInput(inputFile));
      print([...printed, 'Allowed.', ''].join('\n'));
      return 0;
    } catch (error) {
      if (!(error instanceof PoolwrightError) || error.code !== 'RUN_DENIED') throw error;
      print(`${error.message}\n`);
      return 1;
    }
  });
}

async function readInput(file: string): Promise<PolicyInput> {
  try {
    // Whatever it holds is for the policy to judge.
    return JSON.parse(await readFile(file, 'utf8')) as PolicyInput;
  } catch (error) {
    throw new PoolwrightError('INVALID_SETTINGS', `The input ${file} cannot be read: ${messageOf(error)}`);
  }
}

/** Of a tracked run that plans a stack of OpenTofu. */
export function exampleInput(): PolicyInput {
  const pool = '01JA0000000000000000000000';
  const worker = '01JB0000000000000000000000';
  const none: string[] = [];
  const assignment: Assignment = {
    v: 1,
    type: 'assignment',
    id: '01JC0000000000000000000000',
    pool,
    worker,
    session: '0'.repeat(32),
    issuedAt: 0,
    expiresAt: 0,
    run: '01JD0000000000000000000000',
    attempt: 1,
    stack: 'network',
    runType: 'TRACKED',
    stage: 'PLAN',
    tool: 'opentofu',
    runnerImage: 'registry.example.com/runner:1',
    projectRoot: 'environments/production',
    source: {
      kind: 'git',
      repository: 'https://git.example.com/infrastructure.git',
      branch: 'main',
      commit: '0123456789abcdef0123456789abcdef01234567',
    },
    workspace: null,
    hooks: {
      beforeInit: ['tofu fmt -check'],
      afterInit: none,
      beforePlan: none,
      afterPlan: none,
      beforeApply: none,
      afterApply: none,
      beforePerform: none,
      afterPerform: none,
    },
    commands: { plan: none, apply: none, destroy: none },
    task: null,
    environment: [{ name: 'AWS_REGION', value: { kind: 'plain', text: '' } }],
    bulk: { endpoint: 'https://pools.example.com', token: '' },
  };
  const metadata = { instance_id: 'i-0123456789abcdef0' };
  return policyInput(assignment, { defaultImage: '', metadata }, Date.UTC(2026, 0, 1));
}
