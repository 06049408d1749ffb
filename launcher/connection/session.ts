// One connection's life from the first word to the close, whatever carries it. Connecting again is connection.ts's.

export interface SessionEvents {
  /** What others are told when the connection breaks: the transport's broker or server publishes it. */
  readonly will: Buffer;
  /** Milliseconds between signs of life; rounded up to whole seconds. */
  readonly keepalive: number;
  /** What is published now can be answered. */
  readonly onReady: () => void;
  readonly onMessage: (payload: Buffer) => void;
  /** Called once. The reason is a sentence for people. */
  readonly onClosed: (reason: string) => void;
}

export interface Session {
  /** Resolves when the other side has the message, false when the connection broke before. */
  publish(payload: Buffer): Promise<boolean>;
  /** Ends the connection at once, so that the will is published. */
  cut(reason: string): void;
  /** Ends the connection in order: no will. Resolves when it is closed. */
  close(): Promise<void>;
}
