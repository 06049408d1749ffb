// Why there is no connection, in one line for the person who has to mend it.
import { isIP } from 'node:net';
import { messageOf } from '../../protocol/errors.js';
import { ProxyError } from '../network/dial.js';
import { targetOf } from '../network/proxies.js';

/** How far a connect came before it failed. */
export type ConnectStage = 'tcp' | 'tls' | 'websocket' | 'mqtt' | 'session';

const renewToken =
  'Was the pool reset or deleted? Then give this launcher the new token (and the key that belongs to it).';
const otherAuthority =
  "its certificate is not from the authority in the pool's token. Either the control plane was set up anew (get " +
  'a new token), or something between here and there opens the TLS connection (let it through unopened)';

/**
 * A sentence without a full stop at its end: what the broker at this address (such as `ssl://host:8883`) did, and what
 * to do.
 */
export function describeFailure(broker: string, stage: ConnectStage, error: unknown): string {
  if (error instanceof ProxyError) return error.message;
  const address = placeOf(broker);
  const code = codeOf(error) ?? '';
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return `the name ${address.host} of the broker cannot be looked up (${code}); check DNS and the token's broker endpoint`;
    case 'ECONNREFUSED':
      return `nothing listens at ${broker} (connection refused); is the control plane running?`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no route to ${broker} (${code}); check the network and firewall rules for outgoing TCP port ${address.port}`;
    case 'ETIMEDOUT':
      return `${broker} does not answer; check that outgoing TCP port ${address.port} is open`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return `${broker} is refused: ${otherAuthority} (${code})`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `${broker} is refused: its certificate is not for ${isIP(address.host) === 0 ? 'the name' : 'the address'} ${address.host}`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `${broker} is refused: by this machine's clock its certificate is not valid now (${code}); check the clock here, or renew the certificate there`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `${broker} does not speak TLS as expected (${code}); does the endpoint name the broker's port?`;
    default:
      return describeRest(broker, stage, code, error);
  }
}

function describeRest(broker: string, stage: ConnectStage, code: string, error: unknown): string {
  if (code.startsWith('ERR_SSL_') && code.includes('ALERT')) {
    const alert = code
      .replace(/^ERR_SSL_(TLSV1|SSLV3|TLSV13)_ALERT_/, '')
      .replaceAll('_', ' ')
      .toLowerCase();
    const expired = alert.includes('expired') ? 'the pool certificate has expired by its clock. ' : '';
    return `${broker} refused the pool's certificate (TLS alert: ${alert}): ${expired}${renewToken}`;
  }
  const mqttCode = refusalCode(error);
  if (mqttCode === serverUnavailable) {
    return `${broker} cannot check workers at the moment (MQTT return code 3, server unavailable): the fault is there, not here`;
  }
  if (mqttCode !== undefined) {
    return `${broker} refused the connection (MQTT return code ${String(mqttCode)}). ${renewToken}`;
  }
  const detail = code !== '' ? code : error === undefined ? 'closed' : messageOf(error);
  switch (stage) {
    case 'tcp':
      return `${broker} cannot be reached (${detail})`;
    case 'tls':
      return `${broker} ended the connection during the TLS handshake (${detail}); does the endpoint name the broker's port?`;
    case 'websocket':
      return `${broker} does not open a WebSocket (${detail}); a proxy in front of the API must let WebSockets through`;
    case 'mqtt':
      // With TLS 1.3 a refused client certificate shows only now, often as nothing but a closed connection.
      return `${broker} ended the connection before it answered (${detail}): it does not take this certificate. ${renewToken}`;
    case 'session':
      return `the connection to ${broker} ended (${detail})`;
  }
}

/** Host without brackets, and port. */
function placeOf(address: string): { readonly host: string; readonly port: string } {
  const { host, port } = targetOf(new URL(address));
  return { host, port: String(port) };
}

/** MQTT 3.1.1, 3.2.2.3. It says nothing of the certificate. */
const serverUnavailable = 3;

/** Return codes 1 to 5 of an MQTT 3.1.1 CONNACK, as MQTT.js reports them. */
function refusalCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}

function codeOf(error: unknown): string | undefined {
  // Several addresses were tried: what the first one said stands for all.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
