// The environment of a run's commands: the stack's variables, what the launcher passes on, and what tools expect.
import type { KeyObject } from 'node:crypto';
import type { Assignment } from '../../protocol/messages.js';
import { isReadRun } from '../../protocol/runs.js';
import { outputContext, variableContext } from '../../protocol/sealing/contexts.js';
import { openBytes } from '../../protocol/sealing/open.js';
import type { Settings } from '../settings/settings.js';

export interface RunEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** Values that never appear in logs. */
  readonly secrets: readonly string[];
}

/** `own`: the launcher's environment. Throws SEALED_DAMAGED, SEALED_FOR_OTHER_KEY. */
export function environmentOf(
  assignment: Assignment,
  settings: Pick<Settings, 'passedVariables' | 'maskedVariables'>,
  privateKey: KeyObject,
  own: NodeJS.ProcessEnv,
): RunEnvironment {
  const secrets = [assignment.bulk.token];
  const variables: Record<string, string> = {
    CI: 'true',
    SPACELIFT: 'true',
    SPACELIFT_RUN_ID: assignment.run,
    SPACELIFT_RUN_TYPE: assignment.runType,
    SPACELIFT_STACK_ID: assignment.stack,
    TF_IN_AUTOMATION: 'true',
    TF_INPUT: 'false',
  };
  const kind = isReadRun(assignment.runType) ? 'read' : 'write';
  for (const { name, runs } of settings.passedVariables) {
    const value = own[name];
    if (value !== undefined && (runs === 'all' || runs === kind)) variables[name] = value;
  }
  const stacks = new Set(assignment.environment.map(({ name }) => name));
  for (const name of stacks) {
    const other = otherSpelling(name);
    // Programs differ in which spelling they prefer: the launcher's must not win over the stack's.
    if (other !== undefined && !stacks.has(other)) Reflect.deleteProperty(variables, other);
  }
  for (const { name, value } of assignment.environment) {
    if (value.kind === 'plain') {
      variables[name] = value.text;
      continue;
    }
    const sealed = Buffer.from(value.data, 'base64');
    const context =
      value.from === undefined
        ? variableContext(assignment.stack, name)
        : outputContext(value.from.stack, value.from.output);
    const text = openBytes(sealed, privateKey, context).toString('utf8');
    variables[name] = text;
    secrets.push(text);
  }
  for (const name of settings.maskedVariables) {
    for (const value of [own[name], variables[name]])
      if (value !== undefined && value !== '') secrets.push(value);
  }
  return { variables, secrets };
}

/** Variables of proxies are written in capitals and in small letters. */
function otherSpelling(name: string): string | undefined {
  if (!/^(https?|all|no)_proxy$/i.test(name)) return undefined;
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}
