// What every command's action starts with: checked options, output in the wanted shape, and for those that
// ask the control plane a signed-in client that is closed at the end.
import type { Command } from 'commander';
import { z } from 'zod';
import { createApiClient, type ApiClient } from './api/client.js';
import { createHttpClient } from './api/http.js';
import { resolveCredentials } from './credentials.js';
import { createOutput, type Output } from './output.js';
import type { Terminal } from './terminal.js';

export interface Invocation<Options> {
  /** Positional arguments; commander has checked their number. */
  readonly args: readonly string[];
  readonly options: Options;
  readonly output: Output;
  readonly terminal: Terminal;
}

export interface ApiInvocation<Options> extends Invocation<Options> {
  readonly client: ApiClient;
}

const commonShape = { json: z.boolean().default(false) };
const connectionSchema = z.object({
  endpoint: z.string().optional(),
  apiKeyId: z.string().optional(),
  apiKeySecretFile: z.string().optional(),
  caFile: z.string().optional(),
  profile: z.string().optional(),
});

/** Text below a command's help: an example, and where there is more to know, that. */
export function withExample(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}

/** An option that may be given several times; all values are kept in order. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Gives a command its action and `--json`. `shape` says what its options are after commander has read them. */
export function act<Shape extends z.ZodRawShape>(
  command: Command,
  terminal: Terminal,
  shape: Shape,
  work: (invocation: Invocation<z.output<z.ZodObject<Shape>>>) => Promise<void>,
): Command {
  command.option('--json', 'answer with JSON instead of text');
  return command.action(async () => {
    const { json } = z.object(commonShape).parse(command.opts());
    await work({
      args: command.args,
      options: z.object(shape).parse(command.opts()),
      output: createOutput(terminal, json),
      terminal,
    });
  });
}

/** The flags that say which control plane and which key; README and docs/cli.md explain the order. */
export function connectionOptions(command: Command): Command {
  return command
    .optionsGroup('Control plane:')
    .option('--endpoint <url>', 'address of the control plane (POOLWRIGHT_ENDPOINT)')
    .option('--api-key-id <id>', 'API key (POOLWRIGHT_API_KEY_ID)')
    .option(
      '--api-key-secret-file <file>',
      "file with the key's secret, - for stdin (or the secret in POOLWRIGHT_API_KEY_SECRET)",
    )
    .option('--ca-file <file>', "PEM of the endpoint's own certificate authority (POOLWRIGHT_CA_FILE)")
    .option('--profile <file>', 'profile that `poolwright login` wrote (POOLWRIGHT_PROFILE)');
}

/** As `act`, for a command that asks the control plane. */
export function actWithApi<Shape extends z.ZodRawShape>(
  command: Command,
  terminal: Terminal,
  shape: Shape,
  work: (invocation: ApiInvocation<z.output<z.ZodObject<Shape>>>) => Promise<void>,
): Command {
  act(command, terminal, shape, async (invocation) => {
    const flags = connectionSchema.parse(command.opts());
    const credentials = await resolveCredentials(flags, terminal.environment, process.stdin);
    const http = await createHttpClient(credentials.caFile);
    try {
      await work({ ...invocation, client: createApiClient(credentials, http) });
    } finally {
      http.close();
    }
  });
  return connectionOptions(command);
}
