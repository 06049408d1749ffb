// poolwright login: checks an API key and keeps it in the profile file.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { createApiClient } from '../api/client.js';
import { createHttpClient } from '../api/http.js';
import { normalEndpoint, readSecret } from '../credentials.js';
import { UsageError } from '../exit.js';
import { act, withExample } from '../invocation.js';
import { defaultProfileFile, writeProfile } from '../profile.js';
import { askHidden } from '../prompt.js';
import type { Terminal } from '../terminal.js';

async function secretOf(file: string | undefined, terminal: Terminal): Promise<string> {
  if (file !== undefined) return readSecret(file, process.stdin);
  const fromEnvironment = terminal.environment['POOLWRIGHT_API_KEY_SECRET'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  if (terminal.interactive) return askHidden("The API key's secret: ");
  throw new UsageError(
    "The API key's secret is missing: name a file with --api-key-secret-file, - for stdin, or set POOLWRIGHT_API_KEY_SECRET.",
  );
}

/** Adds the `login` command. */
export function addLoginCommand(program: Command, terminal: Terminal): void {
  const login = program
    .command('login')
    .description('Keep an endpoint and API key in a profile file (mode 0600)');
  login
    .requiredOption('--endpoint <url>', 'address of the control plane')
    .requiredOption('--api-key-id <id>', 'API key')
    .option(
      '--api-key-secret-file <file>',
      "file with the key's secret, - for stdin; asked for on a terminal",
    )
    .option('--ca-file <file>', "PEM of the endpoint's own certificate authority")
    .option('--profile <file>', 'where to keep it (default: poolwright/profile.json below ~/.config)');
  const shape = {
    endpoint: z.string(),
    apiKeyId: z.string(),
    apiKeySecretFile: z.string().optional(),
    caFile: z.string().optional(),
    profile: z.string().optional(),
  };
  act(login, terminal, shape, async ({ options, output }) => {
    const credentials = {
      endpoint: normalEndpoint(options.endpoint),
      apiKeyId: options.apiKeyId,
      apiKeySecret: await secretOf(options.apiKeySecretFile, terminal),
      // Later commands may run in other folders.
      ...(options.caFile === undefined ? {} : { caFile: resolve(options.caFile) }),
    };
    const http = await createHttpClient(credentials.caFile);
    try {
      const { viewer } = await createApiClient(credentials, http).request(
        'query { viewer { id name } }',
        {},
        z.object({ viewer: z.object({ id: z.string(), name: z.string() }) }),
      );
      const file = options.profile ?? defaultProfileFile(terminal.environment);
      await writeProfile(file, credentials);
      output.answer({ endpoint: credentials.endpoint, viewer, profile: file }, () => [
        `Signed in to ${credentials.endpoint} as ${viewer.name}. The key is kept in ${file}.`,
      ]);
    } finally {
      http.close();
    }
  });
  withExample(
    login,
    'poolwright login --endpoint https://poolwright.example.com --api-key-id 01K3ZB8S7RWD5N4Q2M6T9X0YVE',
  );
}
