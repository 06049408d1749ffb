// HTTP requests to one origin, over connections that are kept: direct, through a proxy's CONNECT (https), or asked of the
// proxy (http).
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { dial, tlsToProxy } from './dial.js';
import { proxyFor, targetOf, type ProxySettings, type Target } from './proxies.js';
import { secure } from './tls.js';

export interface RequestOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Milliseconds without a byte in either direction until the request's event `timeout`. */
  readonly timeout: number;
}

export interface HttpClient {
  /** `path` begins with a slash and is added to the endpoint. The body is the caller's to write and end. */
  request(path: string, options: RequestOptions): http.ClientRequest;
  /** Ends all connections. */
  close(): void;
}

export interface OwnAuthorities {
  readonly authorities: readonly string[];
  /** What their certificates are judged by, when this machine's clock says that they are not valid. */
  readonly now: () => number;
}

export interface HttpClientOptions {
  /** `https://…` or `http://…`, without a slash at its end. */
  readonly endpoint: string;
  readonly proxies: ProxySettings;
  /** PEM: what is trusted; see trustedCertificates. Asked for with the first connection. */
  readonly authorities: () => string[];
  /** For the control plane's own certificates: its authorities (PEM) and its clock (Unix milliseconds). */
  readonly own?: OwnAuthorities;
  /** Milliseconds for which a connection is kept that nothing is asked on. Default: until the other side ends it. */
  readonly idle?: number;
}

/** Milliseconds until a connect that hangs is given up. */
const connectTimeout = 15_000;

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { endpoint, proxies } = options;
  const url = new URL(endpoint);
  const encrypted = url.protocol === 'https:';
  const target = targetOf(url);
  if (encrypted) {
    const agent = new DialingAgent(target, options);
    return {
      request: (path, request) => https.request(`${endpoint}${path}`, { ...request, agent }),
      close: () => {
        agent.destroy();
      },
    };
  }
  const proxy = proxyFor(proxies, target, false);
  let trusted: string[] | undefined;
  const agent = new (proxy?.secure === true ? https : http).Agent(kept(options));
  return {
    request(path, request) {
      if (proxy === null) return http.request(`${endpoint}${path}`, { ...request, agent });
      return (proxy.secure ? https : http).request({
        ...request,
        agent,
        ...tlsToProxy(proxy, () => (trusted ??= options.authorities())),
        host: proxy.host,
        port: proxy.port,
        path: `${endpoint}${path}`,
        headers: {
          ...request.headers,
          host: url.host,
          ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
        },
      });
    },
    close: () => {
      agent.destroy();
    },
  };
}

function kept({ idle }: HttpClientOptions): http.AgentOptions {
  return { keepAlive: true, ...(idle === undefined ? {} : { timeout: idle }) };
}

/** Opens its connections as everything else in the launcher does. */
class DialingAgent extends https.Agent {
  readonly #target: Target;
  readonly #options: HttpClientOptions;
  readonly #closing = new AbortController();
  #context: SecureContext | undefined;

  constructor(target: Target, options: HttpClientOptions) {
    super(kept(options));
    this.#target = target;
    this.#options = options;
  }

  override createConnection(
    _options: https.RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const settled = callback as ((error: Error | null, stream?: Duplex) => void) | undefined;
    this.#open().then(
      (stream) => settled?.(null, stream),
      (error: unknown) => settled?.(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** Also ends what is only just being opened: nobody would close it any more. */
  override destroy(): void {
    this.#closing.abort(new Error('the client is closed'));
    super.destroy();
  }

  async #open(): Promise<Duplex> {
    const late = AbortSignal.timeout(connectTimeout);
    try {
      return await this.#openUntil(AbortSignal.any([late, this.#closing.signal]));
    } catch (error) {
      if (error !== late.reason) throw error;
      const { host, port } = this.#target;
      const seconds = String(connectTimeout / 1000);
      throw new Error(`no connection to ${host}, port ${String(port)}, within ${seconds} s`, {
        cause: error,
      });
    }
  }

  async #openUntil(signal: AbortSignal): Promise<Duplex> {
    const { proxies, authorities, own } = this.#options;
    const ownAuthorities = own?.authorities ?? [];
    this.#context ??= createSecureContext({ ca: authorities(), minVersion: 'TLSv1.2' });
    const stream = await dial(this.#target, proxyFor(proxies, this.#target, true), signal, { authorities });
    const { host } = this.#target;
    const { socket, judgeLater } = await secure(stream, {
      host,
      context: this.#context,
      ownAuthorities,
      signal,
    });
    const now = own?.now() ?? Date.now();
    if (judgeLater !== null && (now < judgeLater.from || now > judgeLater.to)) {
      socket.destroy();
      throw new Error(`the certificate of ${host} is not valid now, by the control plane's clock`);
    }
    return socket;
  }
}
