// What the control plane needs of a message broker: little enough for any MQTT broker to serve.
import type { IncomingMessage as Request } from 'node:http';
import type { Duplex } from 'node:stream';

export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Serial number of the sender's certificate (hexadecimal); null when the broker does not tell. */
  readonly certificateSerial: string | null;
}

export interface Broker {
  /** `host:port` it listens on, or is reached at. */
  readonly address: string;
  /** Takes a WebSocket of the API's listener: the `upgrade` event of an HTTP server. */
  upgrade(request: Request, socket: Duplex, head: Buffer): void;
  /** Publishes at QoS 1. Resolves when the broker has it, not when the worker has. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
  /** Whether what workers say arrives. False while the line to a broker elsewhere is down. */
  hears(): boolean;
  /** Ends the connections of a pool but those with the given certificate, where that is in our hands. */
  cutPool(pool: string, exceptSerial: string | null): void;
  close(): Promise<void>;
}

/** Which certificate a pool has now; undefined for a pool that does not exist. */
export type CurrentSerial = (pool: string) => Promise<string | undefined>;
