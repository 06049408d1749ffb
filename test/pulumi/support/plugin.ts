// The package as the Pulumi engine starts it for programs in other languages, and a client that asks it as the engine does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { ResourceProviderClient } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import { GetSchemaRequest } from '@pulumi/pulumi/proto/provider_pb.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Plugin {
  readonly client: ResourceProviderClient;
  schema(): Promise<string>;
  close(): Promise<void>;
}

/** `folder` has PulumiPlugin.yaml; `modules` is where the program of it finds the SDK. */
export async function startPlugin(
  folder: string,
  { modules = join(root, 'node_modules'), engine = '127.0.0.1:1' } = {},
): Promise<Plugin> {
  const program = join(modules, '@pulumi', 'pulumi', 'cmd', 'run-plugin');
  const child = spawn(process.execPath, [program, folder, engine], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const port = await new Promise<string>((resolve, reject) => {
    // The first line is the port, as of every provider.
    child.stdout.once('data', (chunk: Buffer) => {
      resolve(chunk.toString().trim());
    });
    child.once('exit', () => {
      reject(new Error(`the plugin ended: ${said}`));
    });
  });
  const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  return {
    client,
    schema: () =>
      new Promise((resolve, reject) => {
        client.getSchema(new GetSchemaRequest(), (error, response) => {
          if (error === null) resolve(response.getSchema());
          else reject(error);
        });
      }),
    async close() {
      client.close();
      if (child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
