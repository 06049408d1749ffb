// The profile file: the endpoint and API key that `poolwright login` keeps for later commands.
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';

export const profileSchema = z.object({
  endpoint: z.url({ protocol: /^https?$/ }),
  apiKeyId: z.string().min(1),
  apiKeySecret: z.string().min(1),
  /** PEM file with the certificate authority of the endpoint, when it is not a public one. */
  caFile: z.string().min(1).optional(),
});
export type Profile = z.infer<typeof profileSchema>;

/** `$XDG_CONFIG_HOME/poolwright/profile.json`, by default below `~/.config`. */
export function defaultProfileFile(environment: NodeJS.ProcessEnv): string {
  const configured = environment['XDG_CONFIG_HOME'];
  const base = configured !== undefined && configured !== '' ? configured : join(homedir(), '.config');
  return join(base, 'poolwright', 'profile.json');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The profile in `file`, undefined when there is no such file. INVALID_SETTINGS when it cannot be used. */
export async function readProfile(file: string): Promise<Profile | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `The profile file ${file} cannot be read: ${messageOf(cause)}.`,
      { cause },
    );
  }
  const refuse = (reason: string, cause?: unknown) =>
    new PoolwrightError(
      'INVALID_SETTINGS',
      `The profile file ${file} cannot be used: ${reason}. Run \`poolwright login\` to write it anew.`,
      { cause },
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which holds the secret.
    throw refuse('it is not JSON');
  }
  const parsed = profileSchema.safeParse(value);
  if (!parsed.success) {
    throw refuse(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  }
  return parsed.data;
}

/** Writes the profile whole or not at all, readable by its owner only. */
export async function writeProfile(file: string, profile: Profile): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${String(process.pid)}.tmp`;
  await writeFile(temporary, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, file);
}
