// Where the steps of a run are executed. A container engine and a process group look the same from here.

/** One shell script of a run. */
export interface Step {
  /** From 1 within its world. A step that was started before under this number is followed, not started again. */
  readonly number: number;
  /** For logs and errors, such as `plan` or `before_plan 1`. */
  readonly name: string;
  /** Given to `/bin/sh -e -c`. */
  readonly script: string;
  /** The whole environment: nothing of the launcher's own is added but what a shell cannot do without. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute path as the run sees it. */
  readonly workingDirectory: string;
}

/** How a step ended. */
export interface StepEnd {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /**
   * `killed`: by the abort signal of `run`. `out-of-memory`: the kernel killed it, or something of it, for the memory it
   * took; an exit code that is there tells whether it came through all the same. `disk-full`: its output could not be
   * written. `vanished`: it is gone and nobody saw how, as after a start of the machine. `not-begun`: the same, and nothing
   * of it was executed.
   */
  readonly cause: 'exit' | 'killed' | 'out-of-memory' | 'disk-full' | 'vanished' | 'not-begun';
}

/** A place in the output of a step, which is kept in segments that are numbered from 1. */
export interface OutputPlace {
  readonly segment: number;
  /** Bytes from the beginning of the segment. */
  readonly offset: number;
}

/** Who takes the output of a step. */
export interface StepSink {
  /** Where to begin: what comes before it was taken by an earlier process. */
  readonly from: OutputPlace;
  /**
   * Standard output and standard error in the order in which they came. `place` is where the bytes begin. They
   * count only during the call. Must not block.
   */
  output(bytes: Uint8Array, place: OutputPlace): void;
  /** Resolves when more may come: output is read no faster than it is dealt with. */
  settled(): Promise<void>;
  /** Segments before this one will not be asked for again. */
  needed(): number;
}

/** The user that steps have. */
export interface RunUser {
  readonly id: number;
  /** What knows its name, or does not. */
  readonly of: 'image' | 'machine';
}

/** A container or a process group for one assignment. */
export interface RunWorld {
  /** Absolute path of the workspace as steps see it. */
  readonly projectDirectory: string;
  /** Null where there are no users. */
  readonly user: RunUser | null;
  /**
   * Runs one step and resolves once it and all that it started has ended and all output was handed over.
   * Aborting means SIGTERM, a grace time, then SIGKILL, for every process of the world. Does not throw for
   * a step that fails. Throws ENGINE_UNAVAILABLE when the engine was lost on the way.
   */
  run(step: Step, sink: StepSink, signal: AbortSignal): Promise<StepEnd>;
  /** Lets go of what is kept of a step that is over: it cannot be followed again. */
  forget(step: number): Promise<void>;
  /** Removes the container or ends all processes. May be called twice. */
  close(): Promise<void>;
}

/** What a world is made for. */
export interface WorldRequest {
  /** ULID of the run. */
  readonly run: string;
  readonly attempt: number;
  /** Absolute path on this machine of the folder with the run's files. It is there, and may still be filled. */
  readonly workspace: string;
  readonly image: string;
  /** Decides which of the extra mounts are there. */
  readonly readRun: boolean;
  /** Gets lines for the run's log, such as the progress of an image pull. */
  readonly onNotice: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Executor {
  readonly kind: 'docker' | 'host' | 'pod';
  /**
   * Throws ENGINE_UNAVAILABLE with what to do; INVALID_SETTINGS for what the settings name and it does not have; DISK_FULL
   * for a while after there was no room for an image. Cheap: asked at every start, before large libraries are loaded.
   */
  check(): Promise<void>;
  /** Throws ENGINE_UNAVAILABLE, DISK_FULL (the worker's faults) or IMAGE_UNAVAILABLE (the run's), or the signal's reason. */
  open(request: WorldRequest): Promise<RunWorld>;
  /**
   * Finds the world again that an earlier process of this life opened. Throws RUN_INTERRUPTED when it is gone,
   * ENGINE_UNAVAILABLE.
   */
  adopt(request: WorldRequest): Promise<RunWorld>;
  /** Ends and removes what launchers that are no more left behind, and nothing else; gives the number of worlds. */
  sweep(dead: readonly LauncherLife[]): Promise<number>;
  /**
   * Folders of this machine, besides the life's, that it fills when runs are executed, such as the one of images. None that
   * cannot be seen from here. Throws ENGINE_UNAVAILABLE.
   */
  stores(): Promise<readonly string[]>;
  /**
   * Removes what it brought to this machine itself and can bring again, the longest unused first, until `enough`
   * says so. Answers the names of what it removed.
   */
  makeRoom(enough: () => Promise<boolean>): Promise<readonly string[]>;
}

/**
 * One worker's life and the folder it keeps its state in: a launcher process, and after it was killed in the middle
 * of a run the one that goes on with that run. Two processes never have the same one.
 */
export interface LauncherLife {
  /** ULID; also the worker's id. What an executor makes is labelled with it. */
  readonly id: string;
  /** Absolute. The executor may keep notes of what it started in here. */
  readonly folder: string;
}
