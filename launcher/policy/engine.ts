// The program that evaluates Rego (policy-engine/, in Go). It is started for each question and ended when it takes too long,
// so a launcher without a policy pays nothing for it, and a policy that runs away takes nothing with it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, mkdir, realpath, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { brotliDecompressSync } from 'node:zlib';
import * as z from 'zod';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { draftOf, removeDrafts } from './drafts.js';

/** Path of the engine; for launchers that do not carry one. */
export const engineVariable = 'POOLWRIGHT_POLICY_ENGINE';
/** Name of the engine, compressed with Brotli, inside of an executable launcher. */
const asset = 'policy-engine';

const answerSchema = z.object({
  faults: z
    .array(z.object({ file: z.string(), line: z.number(), column: z.number(), message: z.string() }))
    .nullable(),
  denials: z.array(z.string()).nullable(),
  printed: z.array(z.string()).nullable(),
});

export type EngineAnswer = z.output<typeof answerSchema>;

export interface EngineQuestion {
  /** Name of the policy's file. */
  readonly file: string;
  /** Its text. */
  readonly policy: string;
  /** Not given: the policy is only checked. */
  readonly input?: unknown;
}

/**
 * Path of the engine: the one that POOLWRIGHT_POLICY_ENGINE names, the one inside of this executable (it is then written
 * into `folder`), or the one beside the launcher's file. Throws UNSUPPORTED when there is none.
 */
export async function findEngine(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
): Promise<string> {
  const named = environment[engineVariable] ?? '';
  if (named !== '') {
    if (await isProgram(named)) return named;
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `${engineVariable}: ${named} is not a program that can be run.`,
    );
  }
  if (isSea()) {
    const unpacked = await unpackEngine(folder);
    if (unpacked !== undefined) return unpacked;
  }
  // The launcher may have been called by a link to it.
  const file = await realpath(process.argv[1] ?? '').catch(() => '');
  const beside = join(dirname(file), `policy-engine-${architecture()}`);
  if (await isProgram(beside)) return beside;
  throw new PoolwrightError(
    'UNSUPPORTED',
    'This launcher was built without the engine for run initialization policies, and a policy that is not enforced ' +
      `protects nothing. Use a launcher that was built where Go is, name an engine with ${engineVariable}, or unset ` +
      'SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY.',
  );
}

function architecture(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function unpackEngine(folder: string): Promise<string | undefined> {
  let packed: Buffer;
  try {
    packed = Buffer.from(getAsset(asset));
  } catch {
    // An executable that was built without it.
    return undefined;
  }
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await removeDrafts(folder, asset, Date.now());
  // Named by its content: another version's engine is not mistaken for it.
  const path = join(folder, `${asset}-${createHash('sha256').update(packed).digest('hex').slice(0, 16)}`);
  if (!(await isProgram(path))) {
    // Several launchers may share the folder and start in the same moment.
    const draft = draftOf(path, process.pid);
    await writeFile(draft, brotliDecompressSync(packed), { mode: 0o700 });
    await rename(draft, path);
  }
  return path;
}

/** Milliseconds that a policy may take. */
export const deadline = 10_000;
/** Bytes of an answer. */
const longestAnswer = 16 * 1024 * 1024;

/** Throws an error whose message says why there is no answer; nothing is left running then. */
export function askEngine(
  engine: string,
  question: EngineQuestion,
  milliseconds = deadline,
): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    // No environment: a policy sees its input and nothing of the machine.
    const child = spawn(engine, [], { env: {}, stdio: 'pipe' });
    const timer = setTimeout(() => {
      end(new Error(`it did not come to an end within ${String(milliseconds / 1000)} s`));
    }, milliseconds);
    let answer = '';
    let words = '';
    let over = false;
    function end(error: Error): void {
      if (over) return;
      over = true;
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(error);
    }
    child.once('error', end);
    child.stdin.on('error', () => undefined); // Its end says more.
    child.stdin.end(JSON.stringify(question));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(0, 1000)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.length > longestAnswer) end(new Error('its answer is too long'));
    });
    child.once('close', (code, signal) => {
      if (over) return;
      if (code !== 0) {
        end(new Error(`its engine ended with ${signal ?? `exit code ${String(code)}`}: ${firstLine(words)}`));
        return;
      }
      over = true;
      clearTimeout(timer);
      try {
        resolve(answerSchema.parse(JSON.parse(answer)));
      } catch (error) {
        reject(new Error(`its engine's answer cannot be read (${messageOf(error)})`));
      }
    });
  });
}

function firstLine(words: string): string {
  return words.split('\n')[0] ?? '';
}
