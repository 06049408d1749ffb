// Deployments that fail late end the process that they are in, as they do under the engine; so they get one of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Runs a program beside this file on the built components; its lines `made TYPE` are what was registered. */
export async function deployElsewhere(
  program: string,
  environment: Record<string, string>,
): Promise<{ made: string[]; failed: boolean; message: string }> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path], {
    env: { ...process.env, ...environment, PULUMI_ERROR_OUTPUT_STRING: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let message = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (message += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  const made = output.split('\n').flatMap((line) => (line.startsWith('made ') ? [line.slice(5)] : []));
  return { made, failed: code !== 0, message };
}
