// What a run asks of its source, whatever that is: a Git repository, an upload, or what the stage before left.
import type { KeyObject } from 'node:crypto';
import type { Source } from '../../../protocol/messages.js';
import type { ProxySettings } from '../../network/proxies.js';
import type { VcsMapping } from '../../settings/settings.js';

export interface SourceRequest {
  /** ULID of the run. */
  readonly run: string;
  readonly source: Source;
  /** Object of the sealed workspace that the stage before left. Taken instead of `source` when not null. */
  readonly workspace: string | null;
  /** In the environment of each process that is started for it (`markVariable`): so it is found, and ended. */
  readonly mark: string;
  /** Absolute path of a folder that is there and empty: filled with the files of the run. */
  readonly folder: string;
  /** Absolute path of a folder for files on the way. It is removed with the run. */
  readonly scratch: string;
  readonly privateKey: KeyObject;
  readonly vcsMappings: readonly VcsMapping[];
  readonly proxies: ProxySettings;
  /** The launcher's own: where programs are found, keys, and whom Git trusts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes an object (sealed bytes) of the assignment into a new file. Retries by itself. */
  readonly fetchObject: (object: string, file: string) => Promise<void>;
  /** Gets lines for the run's log. */
  readonly onLine: (line: string) => void;
  /** Called when something goes forward that no line tells of, at any rate. Default: nobody has to know. */
  readonly onProgress?: () => void;
  readonly signal: AbortSignal;
}

export interface PreparedSource {
  /** The full id of the commit that is checked out; null when the source is not Git. */
  readonly commit: string | null;
}

/**
 * Fills the folder. Throws SOURCE_UNAVAILABLE, ARCHIVE_REFUSED, SEALED_DAMAGED, SEALED_FOR_OTHER_KEY, or
 * the signal's reason.
 */
export type PrepareSource = (request: SourceRequest) => Promise<PreparedSource>;

export interface KeepRequest {
  readonly run: string;
  /** The workspace. */
  readonly folder: string;
  /** The sealed workspace is written to this new file. */
  readonly file: string;
  readonly privateKey: KeyObject;
  readonly signal: AbortSignal;
}

/** Packs and seals a workspace for the next stage. Throws TOO_LARGE, or the signal's reason. */
export type KeepWorkspace = (request: KeepRequest) => Promise<void>;
