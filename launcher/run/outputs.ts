// What a stack has produced: asked from its tool, and reported for the stacks that depend on it. Sensitive values leave
// the worker only sealed for the pool, and only where the launcher was told that they may.
import type { KeyObject } from 'node:crypto';
import * as z from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import { outputNameSchema } from '../../protocol/messages.js';
import { outputContext } from '../../protocol/sealing/contexts.js';
import { sealBytes } from '../../protocol/sealing/seal.js';
import type { Output } from '../../protocol/worker-api.js';
import type { PhaseStep, StackOutput } from './phase.js';
import type { WorkerApi } from './worker-api.js';

/** Prints what `command` prints when it succeeds, and what it complains of when it does not: values never reach the log. */
function quietly(name: string, command: string): string {
  return `${name}=$(${command} 2>"$HOME/outputs-complaint") || { cat "$HOME/outputs-complaint" >&2; exit 1; }`;
}

/** https://opentofu.org/docs/cli/commands/output/ */
export function terraformOutputsStep(program: string): PhaseStep {
  return {
    name: 'read the outputs',
    script: `${quietly('values', `${program} output -json`)}\nprintf '%s' "$values"`,
    readOutputs: terraformOutputs,
  };
}

/** The first call shows secrets as `[secret]`: that is how they are told from the others. */
export const pulumiOutputsStep: PhaseStep = {
  name: 'read the outputs',
  script: [
    quietly('shown', 'pulumi stack output --json --non-interactive'),
    quietly('whole', 'pulumi stack output --json --show-secrets --non-interactive'),
    `printf '{"shown":%s,"whole":%s}' "$shown" "$whole"`,
  ].join('\n'),
  readOutputs: pulumiOutputs,
};

const terraformSchema = z.record(
  z.string(),
  z.object({ sensitive: z.boolean().default(false), value: z.json() }),
);

export function terraformOutputs(json: string): readonly StackOutput[] {
  return Object.entries(parsed(terraformSchema, json)).map(([name, { sensitive, value }]) => ({
    name,
    text: textOf(value),
    sensitive,
  }));
}

const values = z.record(z.string(), z.json());
const pulumiSchema = z.object({ shown: values, whole: values });

export function pulumiOutputs(json: string): readonly StackOutput[] {
  const { shown, whole } = parsed(pulumiSchema, json);
  return Object.entries(whole).map(([name, value]) => ({
    name,
    text: textOf(value),
    // A secret deep inside of a value makes it differ, too.
    sensitive: JSON.stringify(shown[name]) !== JSON.stringify(value),
  }));
}

/** As variables of other runs have it: a text without quotes, anything else as JSON. */
function textOf(value: z.core.util.JSONType): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** No message may quote what was read. Throws COMMAND_FAILED. */
function parsed<Schema extends z.ZodType>(schema: Schema, json: string): z.output<Schema> {
  try {
    const result = schema.safeParse(JSON.parse(json));
    if (result.success) return result.data;
  } catch {
    // The parser's words may hold a value.
  }
  throw new PoolwrightError(
    'COMMAND_FAILED',
    "The tool's outputs are not the JSON they are documented to be.",
  );
}

export interface OutputsReport {
  /** Id of the stack. */
  readonly stack: string;
  /** Whether sensitive values may be sent, sealed for the pool. */
  readonly sensitive: boolean;
  readonly privateKey: KeyObject;
  readonly api: Pick<WorkerApi, 'putOutputs'>;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Throws what the call throws. What cannot be reported is named in the log, and the run goes on: it is applied. */
export async function reportOutputs(found: readonly StackOutput[], report: OutputsReport): Promise<void> {
  const { stack, sensitive, privateKey, onLine } = report;
  const outputs: Output[] = [];
  const left: string[] = [];
  for (const output of found) {
    const { name, text } = output;
    if (
      outputs.length === limits.outputs ||
      text.length > limits.outputText ||
      Buffer.byteLength(text) > limits.outputText ||
      !outputNameSchema.safeParse(name).success
    ) {
      left.push(name);
    } else if (!output.sensitive) outputs.push({ name, value: { kind: 'plain', text } });
    else if (!sensitive) outputs.push({ name, value: { kind: 'withheld' } });
    else {
      const data = sealBytes(Buffer.from(text), privateKey, outputContext(stack, name)).toString('base64');
      outputs.push({ name, value: { kind: 'sealed', data } });
    }
  }
  if (left.length > 0) {
    onLine(
      `These outputs are not kept, because they are too many (${String(limits.outputs)} at most) or too large ` +
        `(${String(limits.outputText)} bytes at most): ${left
          .map((name) => JSON.stringify(name))
          .join(', ')
          .slice(0, 2000)}`,
    );
  }
  const withheld = outputs.filter(({ value }) => value.kind === 'withheld').map(({ name }) => name);
  if (withheld.length > 0) {
    onLine(
      `These outputs are sensitive and stay on the worker: ${withheld.join(', ')}. Other stacks get them when this ` +
        'launcher has SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED=true: then they are kept sealed for this pool.',
    );
  }
  const body = JSON.stringify({ outputs });
  if (Buffer.byteLength(body) > limits.outputsReport) {
    onLine(`The outputs have more than ${String(limits.outputsReport)} bytes together and are not kept.`);
    return;
  }
  await report.api.putOutputs(body, report.signal);
  if (outputs.length > 0)
    onLine(`Kept ${String(outputs.length - withheld.length)} outputs for stacks that depend on this one.`);
}
