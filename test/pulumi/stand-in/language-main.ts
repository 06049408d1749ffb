// `node language.cjs SDK`: what the engine asks to run programs and plugins in Node.js, as little of it as these suites
// need. Used only where the engine came without its own; programs run in the SDK's own runner all the same.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { handleServerStreamingCall, handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import { LanguageRuntimeService } from '@pulumi/pulumi/proto/language_grpc_pb.js';
import * as proto from '@pulumi/pulumi/proto/language_pb.js';
import { PluginInfo } from '@pulumi/pulumi/proto/plugin_pb.js';
import { serve } from './serve.js';

const [sdk = '', ...rest] = process.argv.slice(2);
const engine = rest.find((word) => !word.startsWith('-')) ?? '';

const run: handleUnaryCall<proto.RunRequest, proto.RunResponse> = (call, callback) => {
  const { request } = call;
  const directory = request.getInfo()?.getProgramDirectory() ?? request.getPwd();
  const words = [
    join(sdk, 'cmd', 'run'),
    `--monitor=${request.getMonitorAddress()}`,
    `--engine=${engine}`,
    `--organization=${request.getOrganization()}`,
    `--project=${request.getProject()}`,
    `--stack=${request.getStack()}`,
    `--pwd=${directory}`,
    ...(request.getDryrun() ? ['--dry-run'] : []),
    `--parallel=${String(request.getParallel())}`,
    request.getInfo()?.getEntryPoint() ?? '.',
  ];
  const config = Object.fromEntries(request.getConfigMap().getEntryList());
  const child = spawn(process.execPath, words, {
    cwd: directory,
    stdio: ['ignore', 'inherit', 'pipe'],
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    process.stderr.write(chunk);
  });
  void once(child, 'close').then(([code]) => {
    const response = new proto.RunResponse();
    if (code === 32) response.setBail(true);
    else if (code !== 0) response.setError(`the program ended with ${String(code)}: ${said.slice(-2000)}`);
    callback(null, response);
  });
};

const runPlugin: handleServerStreamingCall<proto.RunPluginRequest, proto.RunPluginResponse> = (call) => {
  const { request } = call;
  const directory = request.getInfo()?.getProgramDirectory() ?? request.getProgram();
  const child = spawn(
    process.execPath,
    [join(sdk, 'cmd', 'run-plugin'), directory, ...request.getArgsList()],
    {
      cwd: request.getPwd(),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...Object.fromEntries(
          request.getEnvList().map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]),
        ),
      },
    },
  );
  child.stdout.on('data', (chunk: Buffer) => {
    const response = new proto.RunPluginResponse();
    response.setStdout(chunk);
    call.write(response);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    const response = new proto.RunPluginResponse();
    response.setStderr(chunk);
    call.write(response);
  });
  child.once('close', (code) => {
    const response = new proto.RunPluginResponse();
    response.setExitcode(code ?? 1);
    call.write(response);
    call.end();
  });
  call.on('cancelled', () => child.kill('SIGKILL'));
};

const language: UntypedServiceImplementation = {
  handshake: ((_, callback) => {
    callback(null, new proto.LanguageHandshakeResponse());
  }) satisfies handleUnaryCall<unknown, proto.LanguageHandshakeResponse>,
  getPluginInfo: ((_, callback) => {
    const info = new PluginInfo();
    info.setVersion('0.0.0');
    callback(null, info);
  }) satisfies handleUnaryCall<unknown, PluginInfo>,
  getRequiredPackages: ((_, callback) => {
    callback(null, new proto.GetRequiredPackagesResponse());
  }) satisfies handleUnaryCall<unknown, proto.GetRequiredPackagesResponse>,
  getRequiredPlugins: ((_, callback) => {
    callback(null, new proto.GetRequiredPluginsResponse());
  }) satisfies handleUnaryCall<unknown, proto.GetRequiredPluginsResponse>,
  // Programs and plugins of these suites have what they need already.
  installDependencies: ((call) => {
    call.end();
  }) satisfies handleServerStreamingCall<unknown, proto.InstallDependenciesResponse>,
  run,
  runPlugin,
};

void serve(LanguageRuntimeService, language);
