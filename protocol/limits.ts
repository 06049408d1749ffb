// Bounds on everything that crosses the line between launcher and control plane, and its rhythm.
// docs/protocol.md repeats them for people who write another launcher.

/** Sizes in bytes. */
export const limits = {
  /**
   * A message on a broker topic, envelope included. An assignment with the most variables that one may have,
   * each sealed (about 900 bytes with an RSA-4096 key), needs half of it.
   */
  message: 1024 * 1024,
  /** Text of one log record. Longer output is cut into several records at a character border. */
  logRecordText: 64 * 1024,
  /** One request that carries log records. */
  spoolBatch: 4 * 1024 * 1024,
  /** Log text of one run as stored. What goes beyond is replaced by one record that says so. */
  runLog: 1024 * 1024 * 1024,
  /** A sealed workspace or an uploaded archive. */
  workspace: 2 * 1024 * 1024 * 1024,
  /** Outputs of a stack: how many, characters of a value, bytes of the request that reports them. */
  outputs: 500,
  outputText: 64 * 1024,
  outputsReport: 8 * 1024 * 1024,
  /** The launcher's bundle, as a release offers it. */
  launcherBundle: 32 * 1024 * 1024,
  /** Metadata at registration: entries, length of a key, length of a value. */
  metadataEntries: 64,
  metadataKey: 128,
  metadataValue: 1024,
} as const;

/** Times in milliseconds. */
export const rhythm = {
  /** MQTT keep-alive asked by the launcher. A broker ends a silent connection after 1.5 times this. */
  keepalive: 8_000,
  /** A worker that is connected reports this often. */
  heartbeat: 10_000,
  /** No word from a connected worker for this long: it counts as out of contact. */
  silence: 30_000,
  /** An out-of-contact worker that does not return within this is lost. */
  lostAfter: 8_000,
  /**
   * The same for workers whose runs are pods: the run goes on without the controller that speaks for it, and another one
   * may take over within a lease's time.
   */
  podLostAfter: 300_000,
  /** A run pod says this often that it is there; each word gives an out-of-contact worker `podLostAfter` again. */
  podSign: 60_000,
  /** After a start of the control plane every known worker has this long to come back. */
  returnAfterRestart: 30_000,
  /** An assignment that is not accepted within this goes back to the queue. */
  acceptWithin: 15_000,
  /** Longest wait between two attempts to reconnect; the wait is a random part of a doubling one. */
  reconnectCeiling: 15_000,
} as const;
