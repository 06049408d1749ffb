// The control plane as one process: puts the rooms together, starts them in order and ends them in order.
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { PoolwrightError } from '../protocol/errors.js';
import { publicKeyOf } from '../protocol/keys.js';
import { sealBytes } from '../protocol/sealing/seal.js';
import { ensureAdministrator } from './access/administrator.js';
import type { ApiKey } from './access/api-keys.js';
import { randomSecret } from './access/secrets.js';
import { addressesOf, isLoopback } from './addresses.js';
import { createRateLimits, usualRates, type Rates } from './access/rate-limits.js';
import { createSignInLinks } from './access/sign-in-links.js';
import { createOidcClient } from './access/oidc/client.js';
import type { OidcSettings } from './access/oidc/settings.js';
import { createVault } from './access/vault.js';
import { createTokens } from './access/tokens.js';
import type { Broker, IncomingMessage } from './broker/broker.js';
import { brokerAuthorities, connectElsewhere } from './broker/elsewhere.js';
import { createInbox } from './broker/inbox.js';
import { createOutbox } from './broker/outbox.js';
import { randomIds, systemClock } from './clock.js';
import type { Context } from './context.js';
import { openFoundation, type Places } from './foundation.js';
import { createApp } from './http/app.js';
import { startApi, startBroker, type ListenOptions } from './listeners.js';
import { createMetrics } from './metrics/metrics.js';
import { createPoolAuthority, openAuthority } from './pools/authority.js';
import { startReconciler } from './queue/reconciler.js';
import { allowReturn, allowReturnOfSilent } from './queue/return-time.js';
import { startScheduler } from './queue/scheduler.js';
import { startGarbageCollector, type Retention } from './store/garbage.js';
import { lockFolder } from './store/lock.js';
import { assertNotMoved } from './store/moved.js';
import type { TraceSettings } from './traces/settings.js';
import { noTraces, type Traces } from './traces/traces.js';

export interface ServeOptions extends Places, ListenOptions {
  /** Folder for everything that is kept; made when it is not there. */
  readonly dataDirectory: string;
  /** How often an API key, a webhook, and an address without either may ask. */
  readonly rates?: Partial<Rates>;
  /** Default: runs and logs are kept for ever. */
  readonly retention?: Retention;
  /** How people sign in by OpenID Connect. Default: they do not. */
  readonly oidc?: OidcSettings | undefined;
  /** Where traces are sent. Default: nowhere. */
  readonly traces?: TraceSettings | undefined;
  /** JSON lines. Default: the file `control-plane.log` in the data folder. */
  readonly log?: Logger;
  /** Told what takes longer than a moment. */
  readonly onProgress?: (line: string) => void;
}

export interface ControlPlane {
  /** Where the API and the pages are, without a slash at the end. */
  readonly apiUrl: string;
  /** `host:port` as launchers reach it. */
  readonly brokerAddress: string;
  readonly administrator: ApiKey & { readonly created: boolean };
  /** A link that signs one browser in, once. */
  signInLink(): Promise<string>;
  /** Resolves when another process has taken the database: this one must be closed. */
  readonly lost: Promise<PoolwrightError>;
  /** Certificate (PEM) that clients have to trust; undefined when the API's certificate is not of the own authority. */
  readonly caFile: string | undefined;
  close(): Promise<void>;
}

/** Starts everything. Throws DATA_DIR_UNUSABLE, PORT_IN_USE, INVALID_ARGUMENT, ARTEFACT_MISSING; then nothing is left running. */
export async function serve(options: ServeOptions): Promise<ControlPlane> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  try {
    return { ...(await start(options, (step) => closers.push(step))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  options: ServeOptions,
  onClose: (step: () => Promise<void> | void) => void,
): Promise<Omit<ControlPlane, 'close'>> {
  const folder = options.dataDirectory;
  assertNotMoved(folder, options.databaseUrl !== undefined);
  const lock = await lockFolder(folder);
  onClose(() => lock.release());
  const log = options.log ?? fileLog(folder, onClose);
  const clock = systemClock;
  const { traces } = await tracesOf(options, log, onClose);
  const now = clock.now();
  const foundation = await openFoundation({ ...options, folder, log, onClose });
  const { db, secrets, events, logs, objects } = foundation;
  const [files, tokenSecret, metricsToken, vaultSecret] = await Promise.all([
    openAuthority(secrets, join(folder, 'authority'), now),
    secrets.secret('token-secret', randomSecret),
    secrets.secret('metrics-token', randomSecret),
    secrets.secret('vault-key', randomSecret),
  ]);
  const tokens = createTokens(tokenSecret, clock);
  const vault = createVault(vaultSecret);
  const addresses = addressesOf(options);
  const authorities = await brokerAuthorities(options);

  // The rules speak through the broker, and the broker brings what workers say to the rules.
  const late: { broker?: Broker } = {};
  const started = (): Broker => {
    if (late.broker === undefined)
      throw new PoolwrightError('INTERNAL', 'The broker was used before it was started.');
    return late.broker;
  };
  const context: Context = {
    db,
    clock,
    ids: randomIds,
    events,
    log,
    traces,
    logs,
    outbox: createOutbox({
      broker: { publish: (topic, payload) => started().publish(topic, payload) },
      signingKey: files.signingKey,
      clock,
      ids: randomIds,
      log,
    }),
    authority: createPoolAuthority(files, addresses, authorities),
    connections: {
      cutPool: (pool, except) => {
        started().cutPool(pool, except);
      },
    },
    bulk: {
      grant: async (run, attempt, worker) => ({
        endpoint: addresses.publicUrl(),
        token: (await tokens.issueRun({ run, attempt, worker })).token,
      }),
      grantRelease: async (release) => ({
        endpoint: addresses.publicUrl(),
        token: (await tokens.issueRelease(release)).token,
      }),
    },
    seal: (publicKey, sealContext, text) => {
      const key = typeof publicKey === 'string' ? publicKeyOf(publicKey) : publicKey;
      return sealBytes(Buffer.from(text), key, sealContext).toString('base64');
    },
  };
  const administrator = await ensureAdministrator(context, secrets);
  const links = createSignInLinks(context);
  const metrics = createMetrics(context);
  onClose(() => {
    metrics.close();
  });

  const app = await createApp({
    context,
    tokens,
    logs,
    objects,
    links,
    vault,
    ...(options.oidc === undefined ? {} : { oidc: createOidcClient(options.oidc, vault, clock) }),
    metrics,
    limits: createRateLimits(clock, { ...usualRates, ...options.rates }),
    metricsToken: metricsToken.trim(),
    trustLoopback: options.behindProxy !== true,
    missing: () => (late.broker === undefined ? ['the broker is not started yet'] : []),
    publicUrl: () => addresses.publicUrl(),
  });
  const http = await startApi(options, files, now, app, (request, socket, head) => {
    // Before the broker is there, a worker is as well off as without an answer: it tries again.
    if (late.broker === undefined) socket.destroy();
    else late.broker.upgrade(request, socket, head);
  });
  onClose(() => http.close());
  addresses.apiPort = http.port;

  if (options.brokerUrl === undefined) await allowReturn(context);
  const reconciler = startReconciler(context, () => late.broker?.hears() ?? false);
  onClose(() => reconciler.close());
  const collector = startGarbageCollector(context, { logs, objects }, options.retention);
  onClose(() => collector.close());
  const inbox = createInbox(context);
  onClose(() => inbox.close());
  // What comes before the broker can be answered through waits for that.
  const early: IncomingMessage[] = [];
  const onMessage = (message: IncomingMessage) => {
    if (late.broker === undefined) early.push(message);
    else inbox.receive(message);
  };
  const onLine = () => {
    allowReturnOfSilent(context).catch((error: unknown) => {
      log.error({ err: error }, 'workers could not be given time to come back');
    });
  };
  const { brokerUrl } = options;
  const clientId = `control-plane-${randomIds.next()}`;
  const progress = options.onProgress === undefined ? {} : { onProgress: options.onProgress };
  const broker =
    brokerUrl === undefined
      ? await startBroker(options, files, { context, log, now, onMessage })
      : await connectElsewhere({ ...options, brokerUrl }, files, authorities, now, {
          ...{ clientId, onMessage, onLine, log },
          ...progress,
        });
  onClose(() => broker.close());
  late.broker = broker;
  addresses.brokerPort = Number(broker.address.slice(broker.address.lastIndexOf(':') + 1));
  early.forEach((message) => {
    inbox.receive(message);
  });
  const scheduler = startScheduler(context, { concurrent: foundation.concurrent });
  onClose(() => scheduler.close());
  await wakeQueues(context, scheduler);

  const apiUrl = addresses.publicUrl();
  log.info({ apiUrl, broker: addresses.brokerEndpoint() }, 'the control plane is ready');
  const own = options.tls === undefined && options.behindProxy !== true && !isLoopback(options.listen.host);
  return {
    apiUrl,
    brokerAddress: addresses.brokerEndpoint().replace('ssl://', ''),
    administrator,
    signInLink: async () => `${apiUrl}/sign-in?code=${await links.create(administrator.id)}`,
    lost: foundation.lost,
    caFile: own ? files.certificateFile : undefined,
  };
}

async function tracesOf(
  { traces: settings }: ServeOptions,
  log: Logger,
  onClose: (step: () => Promise<void>) => void,
): Promise<{ readonly traces: Traces }> {
  if (settings === undefined) return { traces: noTraces };
  // With everything that it needs, and only then.
  const { openTraces } = await import('./traces/open.js');
  const opened = await openTraces(settings, { log, instance: randomIds.next() });
  onClose(() => opened.close());
  return opened;
}

function fileLog(folder: string, onClose: (step: () => void) => void): Logger {
  const destination = pino.destination({ dest: join(folder, 'control-plane.log'), sync: true, mode: 0o600 });
  onClose(() => {
    destination.end();
  });
  return pino({ level: 'info' }, destination);
}

/** What waited when the last process ended goes on without anything having to happen first. */
async function wakeQueues(context: Context, scheduler: { wake(pool: string): void }): Promise<void> {
  const pools = await context.db
    .selectFrom('worker_pools')
    .select('id')
    .where('deleted_at', 'is', null)
    .execute();
  for (const { id } of pools) scheduler.wake(id);
}
