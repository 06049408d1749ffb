// Every error that Poolwright raises on purpose has a code from the list below and says what to do.
// docs/errors.md lists the same codes; a test holds the two together.

/** Stable error codes: users script against them, so a code is never renamed or given a second meaning. */
export const errorCodes = {
  // input
  INVALID_ARGUMENT: 'An argument, field or flag has a value that is not accepted.',
  INVALID_SETTINGS: 'The environment or the settings file has faults; all of them are listed.',
  NOT_FOUND: 'The named pool, worker, stack, run or object does not exist.',
  CONFLICT: 'The object is in a state in which this cannot be done.',
  TOO_LARGE: 'The input is larger than the documented bound.',
  // access
  UNAUTHORIZED: 'The credential is missing, wrong or expired.',
  FORBIDDEN: 'The credential is right but does not give this right.',
  RATE_LIMITED: 'Too many requests in too short a time.',
  // keys, tokens, certificates
  INVALID_KEY: 'The private key cannot be used: not RSA, too short, encrypted, or not a key.',
  INVALID_CSR: 'The certificate signing request cannot be used.',
  INVALID_TOKEN: 'The worker pool token cannot be read or lacks a field.',
  KEY_MISMATCH: 'The private key does not belong to the certificate or request.',
  CERTIFICATE_EXPIRED: 'The certificate is outside its validity period.',
  // sealing
  SEALED_DAMAGED: 'Sealed data was cut, reordered, exchanged or altered.',
  SEALED_FOR_OTHER_KEY: 'Sealed data is meant for another private key.',
  // protocol
  INVALID_MESSAGE: 'A message does not follow the protocol.',
  BAD_SIGNATURE: 'A message was not signed by the control plane of this pool.',
  MESSAGE_EXPIRED: 'A signed message came after its time.',
  MESSAGE_REPLAYED: 'A signed message came a second time or is meant for another session.',
  STALE_ATTEMPT: 'The run has moved on: this attempt no longer counts.',
  OUT_OF_SEQUENCE: 'Log records came with a gap before them.',
  RELEASE_REFUSED:
    'A launcher release is not signed with a configured key, or its bundle is not what was signed.',
  // control plane
  DATA_DIR_UNUSABLE: 'The data folder cannot be used.',
  DATABASE_UNUSABLE: 'The database at DATABASE_URL cannot be used.',
  PORT_IN_USE: 'Another program listens on the address.',
  WORKER_LOST: 'The worker was not heard of for too long.',
  RUN_TIMED_OUT: 'A run stayed in a state past its deadline.',
  UNAVAILABLE: 'A service that is needed does not answer now; the same call may work later.',
  // launcher
  ENGINE_UNAVAILABLE: 'The container engine does not answer.',
  IMAGE_UNAVAILABLE: 'The runner image is not here and cannot be pulled.',
  IMAGE_UNUSABLE: 'The runner image is here, but runs cannot be executed in it.',
  WRONG_ARCHITECTURE: 'A program is built for another processor architecture than the worker has.',
  SOURCE_UNAVAILABLE: 'The repository or the uploaded workspace cannot be fetched.',
  ARCHIVE_REFUSED: 'The archive holds something that is not unpacked, such as a path out of the folder.',
  TOOL_UNKNOWN: 'The stack names a tool that this launcher does not know.',
  COMMAND_FAILED: 'A command of the run ended with an exit code other than zero.',
  RUN_DENIED: 'The run initialization policy of the worker denies the run, or cannot be evaluated.',
  RUN_SILENT: 'The run printed nothing for longer than the logs timeout.',
  RUN_INTERRUPTED: 'What the run was executed in went away in the middle of it.',
  OUT_OF_MEMORY:
    'The kernel ended a command of the run, or a program that it had started, because memory ran out.',
  DISK_FULL: 'There is no space left where runs are executed.',
  RUN_USER_MISSING: 'A command failed because the runner image has no user with the UID that runs have.',
  RUN_STOPPED: 'The run was stopped on request.',
  LAUNCHER_STOPPED: 'The launcher was told to stop at once.',
  MACHINE_TERMINATED: "The cloud ends the worker's machine before the run could finish.",
  NOT_CONNECTED: 'The launcher was not connected for longer than it may be, and ended.',
  // deployment
  WORKERS_NOT_READY: 'Too few workers of a deployment were ready in time.',
  // build
  ARTEFACT_MISSING: 'A built file is not there; the build was not run.',
  UNSUPPORTED: 'This version does not offer this.',
  INTERNAL: 'A fault in Poolwright itself.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/**
 * An error meant for a person. `message` says what was wrong, where, what was expected and what to do,
 * in that order, and holds no secret. `cause` keeps the technical reason for debug output.
 */
export class PoolwrightError extends Error {
  override readonly name = 'PoolwrightError';
  readonly code: ErrorCode;
  /** The faults of an input one by one, where the message is a list of them. */
  readonly faults: readonly Fault[];
  constructor(
    code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly faults?: readonly Fault[] },
  ) {
    super(message, options);
    this.code = code;
    this.faults = options?.faults ?? [];
  }
}

/** One fault of an input that may have several, with the place where it is. */
export interface Fault {
  /** Name of a variable or a path such as `size.min`. */
  readonly path: string;
  readonly reason: string;
}

/** Joins all faults of one input into one error, so that a user mends them in one go. */
export function faultsError(code: ErrorCode, what: string, faults: readonly Fault[]): PoolwrightError {
  const lines = faults.map(({ path, reason }) => `  ${path}: ${reason}`);
  const count = faults.length === 1 ? '1 fault' : `${String(faults.length)} faults`;
  return new PoolwrightError(code, `${what} has ${count}:\n${lines.join('\n')}`, { faults });
}

/** The text of anything thrown, for a place that must show it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
