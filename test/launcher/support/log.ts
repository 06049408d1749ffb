// A log that a test can read.
import type { Log } from '../../../launcher/log.js';

export interface RecordedLog extends Log {
  readonly lines: { readonly level: string; readonly message: string; readonly code?: string }[];
}

export function recordedLog(): RecordedLog {
  const lines: RecordedLog['lines'] = [];
  const say =
    (level: string): Log['info'] =>
    (message, fields) => {
      const code = fields?.['code'];
      lines.push({ level, message, ...(typeof code === 'string' ? { code } : {}) });
    };
  return { lines, debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}
