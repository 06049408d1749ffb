// What carries a connection to the control plane. MQTT over TLS and over WebSocket are two; what does not speak MQTT fits,
// too: it makes its own Session.
import type { Validity } from '../network/tls.js';
import type { Session, SessionEvents } from './session.js';

export interface Transport {
  /** For people, such as `ssl://broker.example.com:8883`. */
  readonly address: string;
  /**
   * Goes as far as can be gone without saying who connects: lines that are not needed are closed, and the control plane
   * never hears of them. Throws an error whose message is a sentence without a full stop, or the signal's reason.
   */
  open(signal: AbortSignal): Promise<Line>;
}

/** An open line, on which nothing has been said. */
export interface Line {
  /**
   * When the other side's certificate counts, if this machine's clock is not within it: the control plane's clock
   * decides, once it is known. Null when there is nothing left to judge.
   */
  readonly judgeLater: Validity | null;
  /** The transport's address. */
  readonly address: string;
  /** Makes a session of it, once. */
  begin(events: SessionEvents): Session;
  /** Ends a line on which no session has begun. */
  close(): void;
}
