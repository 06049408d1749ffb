// The folder with the releases of the launcher on this machine: `next` is fetched and not tried, `good` has been connected.
// Every file is there whole or not at all. Whoever can write here gains nothing by it: what is read counts only with the
// signature and the hash.
import { createHash, type KeyObject } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  signedReleaseSchema,
  type LauncherRelease,
  type SignedRelease,
} from '../../protocol/launcher-release.js';
import { readRelease, verifyRelease } from '../../protocol/release-signing.js';

export type Place = 'next' | 'good';

const trialSchema = z.object({
  version: z.string(),
  released: z.number(),
  /** How often it was started. */
  starts: z.number(),
  /** Why it was given up; null while that is not known. */
  failure: z.string().nullable(),
});
/** The last release that was tried and was not good, or not yet. */
export type Trial = z.output<typeof trialSchema>;

/** A release whose signature and bundle were found right. */
export type KeptRelease = LauncherRelease & { readonly signed: SignedRelease };

export interface Shelf {
  /** Undefined when there is none, or none that may be started here. */
  read(place: Place): Promise<KeptRelease | undefined>;
  put(place: Place, signed: SignedRelease): Promise<void>;
  /** It has proved good, and takes the place of the one before. */
  promote(release: KeptRelease): Promise<void>;
  /** Removes what nothing refers to, unless it may just be coming. `now`: Unix milliseconds. */
  tidy(now: number): Promise<void>;
  trial(): Promise<Trial | undefined>;
  setTrial(trial: Trial): Promise<void>;
  /** Absolute path of the bundle, once it is there. */
  bundle(release: Pick<LauncherRelease, 'sha256'>): string;
  /** Whether it is there and is what was signed. */
  holds(release: Pick<LauncherRelease, 'sha256'>): Promise<boolean>;
}

export interface ShelfOptions {
  /** Absolute; made when something is put there. */
  readonly folder: string;
  readonly keys: readonly KeyObject[];
  /** Version of the launcher as it was deployed. */
  readonly base: string;
}

/** Milliseconds after which a file that nothing refers to is not just being put there. */
const settled = 60 * 60 * 1000;

export const shelfFolder = (stateDirectory: string) => join(stateDirectory, 'update');

export function openShelf({ folder, keys, base }: ShelfOptions): Shelf {
  const pathOf = (name: string) => join(folder, `${name}.json`);
  const bundle = ({ sha256 }: Pick<LauncherRelease, 'sha256'>) => join(folder, `${sha256}.cjs`);
  const holds = async (release: Pick<LauncherRelease, 'sha256'>) =>
    (await hashOf(bundle(release))) === release.sha256;

  async function readSigned(place: Place): Promise<SignedRelease | undefined> {
    return readJson(pathOf(place), signedReleaseSchema);
  }

  return {
    bundle,
    holds,
    async read(place) {
      const signed = await readSigned(place);
      if (signed === undefined) return undefined;
      try {
        const release = verifyRelease(signed, keys);
        return release.bases.includes(base) && (await holds(release)) ? { ...release, signed } : undefined;
      } catch {
        // Signed with a key that no longer counts: as if it were not there.
        return undefined;
      }
    },
    put: (place, signed) => writeJson(pathOf(place), signed),
    async promote({ signed }) {
      // What is `next` is not looked at: another one may be put there at this very moment.
      await writeJson(pathOf('good'), signed);
      await rm(pathOf('trial'), { force: true });
    },
    async tidy(now) {
      const kept = await Promise.all([readSigned('next'), readSigned('good')]);
      const names = kept.flatMap((signed) =>
        signed === undefined ? [] : `${readRelease(signed).sha256}.cjs`,
      );
      for (const name of await readdir(folder).catch(() => [])) {
        if (name.endsWith('.json') || names.includes(name)) continue;
        const path = join(folder, name);
        const { mtimeMs } = await stat(path);
        if (now - mtimeMs > settled) await rm(path, { force: true });
      }
    },
    trial: () => readJson(pathOf('trial'), trialSchema),
    setTrial: (trial) => writeJson(pathOf('trial'), trial),
  };

  async function writeJson(path: string, value: unknown): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurably(path, JSON.stringify(value));
  }
}

let drafts = 0;

/** Under a name of its own first: two launchers may share the folder, and in one of them two releases may cross. */
export async function writeDurably(path: string, content: string | Buffer): Promise<void> {
  drafts += 1;
  const unfinished = `${path}.${String(process.pid)}.${String(drafts)}`;
  const handle = await open(unfinished, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, path);
}

/** Undefined when the file is not there, or damaged: it is then as good as not there. */
async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function hashOf(path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes === undefined ? undefined : createHash('sha256').update(bytes).digest('hex');
}
