// What the launcher says: JSON lines for machines, short lines for a terminal. Written at once, because what
// was said just before the end matters most.

/** Values that help to find things again. Never secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly format: 'json' | 'pretty';
  /** In every JSON line. */
  readonly fields?: LogFields;
  /** Whether `debug` says anything. */
  readonly debug: boolean;
  /** Takes a text of one or more whole lines. */
  readonly write: (text: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Numbers that log collectors know from other programs. */
const levels = { debug: 20, info: 30, warn: 40, error: 50 } as const;
type Level = keyof typeof levels;

/**
 * A line as JSON: `level` (20 debug, 30 info, 40 warning, 50 error), `ts` (Unix seconds with a fraction),
 * `msg`, and fields. The lines of run logs have the same form.
 */
export function jsonLine(level: Level, now: number, message: string, fields: LogFields = {}): string {
  return `${JSON.stringify({ level: levels[level], ts: now / 1000, ...fields, msg: message })}\n`;
}

function prettyLine(level: Level, now: number, message: string): string {
  const time = new Date(now).toISOString().slice(11, 19);
  return `${time} ${level === 'info' ? '' : `${level}: `}${message}\n`;
}

export function createLog(options: LogOptions): Log {
  const say = (level: Level) => (message: string, fields?: LogFields) => {
    if (level === 'debug' && !options.debug) return;
    const now = options.now();
    options.write(
      options.format === 'json'
        ? jsonLine(level, now, message, { ...options.fields, ...fields })
        : prettyLine(level, now, message),
    );
  };
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}
