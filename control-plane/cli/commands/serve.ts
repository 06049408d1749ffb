// poolwright serve: the control plane, in this process.
import { InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';
import { readOidcSettings } from '../../access/oidc/settings.js';
import { traceSettings, tracesHelp } from '../../traces/settings.js';
import { UsageError } from '../exit.js';
import { act, withExample } from '../invocation.js';
import { address, wholeNumber } from '../parse.js';
import { placesHelp, placesOf } from '../places.js';
import { aborted, leaveSoon, takeStopSignals } from '../stop-signals.js';
import type { Terminal } from '../terminal.js';

const days = wholeNumber(1, 36_500);

const addressSchema = z.object({ host: z.string(), port: z.number() });

function webUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('Expected a URL such as https://poolwright.example.com.');
  }
  return text.replace(/\/+$/, '');
}

const shape = {
  dataDir: z.string(),
  listen: addressSchema.default({ host: '127.0.0.1', port: 4280 }),
  brokerListen: addressSchema.default({ host: '127.0.0.1', port: 8883 }),
  brokerEndpoint: addressSchema.optional(),
  publicUrl: z.string().optional(),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  keepRuns: z.number().optional(),
  keepLogs: z.number().optional(),
  keepAudit: z.number().optional(),
  behindProxy: z.boolean().default(false),
  oidc: z.string().optional(),
};

function tlsOf(certFile: string | undefined, keyFile: string | undefined) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('--tls-cert and --tls-key belong together: expected both or neither.');
  }
  return { certFile, keyFile };
}

/** Adds the `serve` command. */
export function addServeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('serve')
    .description('Run the control plane: API, pages, broker and queue in one process')
    .requiredOption('--data-dir <dir>', 'folder for everything it keeps; made when it is not there')
    .option('--listen <host:port>', 'address of API and pages (default: 127.0.0.1:4280)', address)
    .option('--broker-listen <host:port>', 'address for launchers (default: 127.0.0.1:8883)', address)
    .option('--broker-endpoint <host:port>', 'how launchers reach the broker, when not there', address)
    .option('--public-url <url>', 'how browsers and launchers reach the API, when not at --listen', webUrl)
    .option('--tls-cert <file>', 'certificate of the API (PEM); without it, one of the own authority')
    .option('--tls-key <file>', 'key of that certificate (PEM)')
    .option('--keep-runs <days>', 'remove runs this long after their end (default: never)', days)
    .option('--keep-logs <days>', 'remove only their logs (default: never)', days)
    .option('--keep-audit <days>', 'remove entries of the audit log after this time (default: never)', days)
    .option('--oidc <file>', 'let people sign in by OpenID Connect (docs/sign-in.md)')
    .option('--behind-proxy', 'speak plain HTTP at --listen: a proxy in front speaks TLS');
  act(command, terminal, shape, async ({ options, output }) => {
    const tls = tlsOf(options.tlsCert, options.tlsKey);
    const { serve } = await import('../../serve.js');
    const oidc = options.oidc === undefined ? undefined : await readOidcSettings(options.oidc);
    const places = placesOf(process.env);
    const traces = traceSettings(process.env);
    if (places.secretsKey !== undefined && places.databaseUrl === undefined) {
      throw new UsageError(
        'SECRETS_KEY is for the database of DATABASE_URL, which is not set: a data folder keeps secrets in files.',
      );
    }
    const stop = takeStopSignals(() => {
      terminal.note('Ended at once.');
    });
    const controlPlane = await serve({
      ...places,
      dataDirectory: options.dataDir,
      listen: options.listen,
      brokerListen: options.brokerListen,
      brokerEndpoint: options.brokerEndpoint,
      publicUrl: options.publicUrl,
      tls,
      behindProxy: options.behindProxy,
      oidc,
      traces,
      retention: { runs: options.keepRuns, logs: options.keepLogs, audit: options.keepAudit },
      onProgress: (line) => {
        terminal.note(line);
      },
    });
    try {
      const { apiUrl, brokerAddress, administrator } = controlPlane;
      // The secret is shown at the first start only; afterwards it is in its file.
      const key = administrator.created ? { id: administrator.id, secret: administrator.secret } : null;
      output.answer({ apiUrl, brokerAddress, administrator: key }, () => [
        `API and pages  ${apiUrl}`,
        `Broker         ${brokerAddress}`,
        ...(key === null
          ? []
          : [
              '',
              "Administrator's API key, shown this once and kept in administrator.json of the data folder:",
              `  id      ${key.id}`,
              `  secret  ${key.secret}`,
            ]),
        '',
        'Ctrl-C stops it in order, a second Ctrl-C at once.',
      ]);
      const lost = await Promise.race([aborted(stop.signal), controlPlane.lost]);
      if (lost !== undefined) throw lost;
      terminal.note('Stopping …');
    } finally {
      await controlPlane.close();
      stop.release();
      if (traces !== undefined) leaveSoon();
    }
  });
  command.addHelpText('after', `${placesHelp}\n${tracesHelp}`);
  withExample(command, 'poolwright serve --data-dir /var/lib/poolwright');
}
