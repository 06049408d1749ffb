// What the control plane needs of a message broker: little enough for any MQTT broker to serve.

export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Serial number of the sender's certificate (hexadecimal); null when the broker does not tell. */
  readonly certificateSerial: string | null;
}

export interface Broker {
  /** `host:port` it listens on. */
  readonly address: string;
  /** Publishes at QoS 1. Resolves when the broker has it, not when the worker has. */
  publish(topic: string, payload: Uint8Array): Promise<void>;
  /** Ends the connections of a pool but those with the given certificate. */
  cutPool(pool: string, exceptSerial: string | null): void;
  close(): Promise<void>;
}

/** Which certificate a pool has now; undefined for a pool that does not exist. */
export type CurrentSerial = (pool: string) => Promise<string | undefined>;
