// Where the steps of a run are executed. A container engine and a process group look the same from here.

/** One shell script of a run. */
export interface Step {
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
  /** `killed`: by the abort signal of `run`. `out-of-memory`: by the kernel, for the memory it took. */
  readonly cause: 'exit' | 'killed' | 'out-of-memory';
}

/** A container or a process group for one assignment. */
export interface RunWorld {
  /** Absolute path of the workspace as steps see it. */
  readonly projectDirectory: string;
  /**
   * Runs one step and resolves once it and all that it started has ended and all output was handed over.
   * `onOutput` gets standard output and standard error in the order in which they came; it must not block.
   * Aborting means SIGTERM, a grace time, then SIGKILL, for every process of the world. Does not throw for
   * a step that fails. Throws ENGINE_UNAVAILABLE when the engine was lost on the way.
   */
  run(step: Step, onOutput: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<StepEnd>;
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
  /** Throws ENGINE_UNAVAILABLE with what to do. Cheap: asked at every start, before large libraries are loaded. */
  check(): Promise<void>;
  /** Throws ENGINE_UNAVAILABLE (the worker's fault) or IMAGE_UNAVAILABLE (the run's), or the signal's reason. */
  open(request: WorldRequest): Promise<RunWorld>;
  /**
   * Ends and removes what launchers that are no more left behind; gives the number of worlds.
   * Called at start, before any `open`, when the state folder of a dead launcher process was found.
   */
  sweep(dead: readonly LauncherLife[]): Promise<number>;
}

/** One launcher process and the folder it keeps its state in. Two launchers never share one. */
export interface LauncherLife {
  /** ULID, new for each process; also the worker's id. What an executor makes is labelled with it. */
  readonly id: string;
  /** Absolute. The executor may keep notes of what it started in here. */
  readonly folder: string;
}
