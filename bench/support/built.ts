// Whether the whole build is there: measuring builds only programs, neither executables that pools hand out nor types.
import { existsSync } from 'node:fs';

/** What to do first, or null when all these files are there. */
export function notBuilt(...files: readonly string[]): string | null {
  const missing = files.filter((file) => !existsSync(file));
  return missing.length === 0 ? null : `no ${missing.join(', ')}. Build it with: npm run build`;
}
