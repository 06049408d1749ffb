// dist/launcher-x86_64 and dist/launcher-aarch64: the launcher with its own Node, so that a machine needs nothing else.
// Beside each the same compressed, as packages carry it, and dist/launchers.json, which tells version and hashes.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import postject from 'postject';

const run = promisify(execFile);

/** Marks where the runtime looks for an embedded program; fixed by Node (documentation, "Single executable applications"). */
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Programs that strip symbols, by architecture, best first. Debian: binutils, binutils-aarch64-linux-gnu. */
const strippers = {
  x86_64: ['x86_64-linux-gnu-strip', 'llvm-strip', ...(process.arch === 'x64' ? ['strip'] : [])],
  aarch64: ['aarch64-linux-gnu-strip', 'llvm-strip', ...(process.arch === 'arm64' ? ['strip'] : [])],
};

/** Makes gzip files a sixteenth smaller than zlib does (Debian: libdeflate-tools). Any program reads them. */
const packer = 'libdeflate-gzip';
const hasPacker = spawnSync(packer, ['-V']).status === 0;

/** @typedef {keyof typeof strippers} Architecture */
const own = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** @type {import('./index.mjs').Step} */
export const executables = {
  what: 'launcher executables',
  inputs: [],
  files: [
    'dist/launcher.version',
    'scripts/steps/node-runtimes.json',
    'dist/policy-engine-x86_64.br',
    'dist/policy-engine-aarch64.br',
  ],
  outputs: [
    'dist/launcher-x86_64',
    'dist/launcher-aarch64',
    'dist/launcher-x86_64.gz',
    'dist/launcher-aarch64.gz',
    'dist/launchers.json',
  ],
  needs: ['launcher', 'policyEngine'],
  async run() {
    const folder = await mkdtemp(join(tmpdir(), 'launcher-'));
    try {
      /** @param {Architecture} architecture */
      const one = async (architecture) => ({
        note: await make(architecture, folder, `dist/launcher-${architecture}`),
        file: await compress(`launcher-${architecture}`),
      });
      const [x86_64, aarch64] = await Promise.all([one('x86_64'), one('aarch64')]);
      const notes = [x86_64.note, aarch64.note];
      const files = { x86_64: x86_64.file, aarch64: aarch64.file };
      if (!hasPacker) notes.push(`packed by zlib: there is no ${packer} here`);
      const policyEngine = existsSync(`dist/policy-engine-${own}.br`);
      const version = (await readFile('dist/launcher.version', 'utf8')).trim();
      await writeFile(
        'dist/launchers.json',
        `${JSON.stringify({ version, policyEngine, files }, null, 2)}\n`,
      );
      return notes.join(', ');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/**
 * Makes one executable of dist/launcher.cjs; `folder` is for what comes between. Gives a note of what was made.
 *
 * The same bundle gives the same bytes: a pool must not exchange its machines for a launcher that is only built again.
 * So there is no code cache in it, which is different each time; it would save a few hundredths of a second, once per
 * start of a machine.
 * @param {Architecture} architecture
 * @param {string} folder
 * @param {string} target
 * @param {string} [main] another program than the launcher, to compare it with
 */
export async function make(architecture, folder, target, main = 'dist/launcher.cjs') {
  /** @type {Record<Architecture, { package: string, integrity: string }>} */
  const pinned = JSON.parse(await readFile('scripts/steps/node-runtimes.json', 'utf8'));
  const node = join(folder, `node-${architecture}`);
  await cp(await runtime(pinned[architecture]), node);
  await chmod(node, 0o755);
  const stripped = await strip(architecture, node);
  // The blob is made by a Node of the same version.
  const maker = await runtime(pinned[own]);
  const blob = await makeBlob(folder, maker, `dist/policy-engine-${architecture}.br`, main);
  await postject.inject(node, 'NODE_SEA_BLOB', await readFile(blob), { sentinelFuse: fuse });
  await cp(node, `${target}.new`);
  await rename(`${target}.new`, target);
  const { size } = await stat(target);
  return `${architecture} ${(size / 1024 / 1024).toFixed(0)} MB${stripped ? '' : ' (not stripped: no strip program for it here)'}`;
}

/**
 * The same content gives the same compressed bytes from the same packer: there is no time in them. The hash is of the
 * program itself.
 * @param {string} file
 */
async function compress(file) {
  const source = createReadStream(`dist/${file}`);
  const hash = createHash('sha256');
  source.on('data', (chunk) => hash.update(chunk));
  const target = createWriteStream(`dist/${file}.gz.new`);
  if (hasPacker) {
    const program = spawn(packer, ['-12'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(program, 'close');
    await Promise.all([pipeline(source, program.stdin), pipeline(program.stdout, target)]);
    const [code] = await ended;
    if (code !== 0) throw new Error(`${packer} failed on dist/${file} (exit code ${String(code)})`);
  } else await pipeline(source, createGzip({ level: 9 }), target);
  await rename(`dist/${file}.gz.new`, `dist/${file}.gz`);
  return { file: `${file}.gz`, sha256: hash.digest('hex') };
}

/**
 * @param {string} folder
 * @param {string} node
 * @param {string} engine
 * @param {string} main
 */
async function makeBlob(folder, node, engine, main) {
  const output = join(folder, `${basename(engine)}.blob`);
  const config = `${output}.json`;
  await writeFile(
    config,
    JSON.stringify({
      // Becomes part of the executable, which must be the same whatever folder it is built in.
      main,
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      // Left out where no Go was.
      ...(existsSync(engine) ? { assets: { 'policy-engine': resolve(engine) } } : {}),
    }),
  );
  await run(node, ['--experimental-sea-config', config]);
  return output;
}

/** @type {Map<string, Promise<string>>} */
const runtimes = new Map();

/**
 * The `node` program of a runtime package, fetched once and kept in the user's cache.
 * @param {{ package: string, integrity: string }} wanted
 */
function runtime(wanted) {
  const program = runtimes.get(wanted.package) ?? fetchRuntime(wanted);
  runtimes.set(wanted.package, program);
  return program;
}

/** @param {{ package: string, integrity: string }} wanted */
async function fetchRuntime({ package: name, integrity }) {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'poolwright', name);
  const node = join(cache, 'package', 'bin', 'node');
  const complete = join(cache, 'complete');
  if ((await readFile(complete, 'utf8').catch(() => '')) === integrity) return node;
  process.stderr.write(`  fetching ${name} …\n`);
  await rm(cache, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', cache, name]);
  const archive = join(cache, stdout.trim().split('\n').at(-1) ?? '');
  const hash = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64');
  if (`sha512-${hash}` !== integrity) {
    await rm(cache, { recursive: true, force: true });
    throw new Error(
      `${name} has not the content that scripts/steps/node-runtimes.json pins; it was not used`,
    );
  }
  await run('tar', ['-xzf', archive, '-C', cache]);
  await rm(archive);
  await writeFile(complete, integrity);
  return node;
}

/**
 * @param {Architecture} architecture
 * @param {string} file
 */
async function strip(architecture, file) {
  for (const program of strippers[architecture]) {
    try {
      await run(program, [file]);
      return true;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    }
  }
  return false;
}
