// Run initialization policies: real Rego, by the engine that launchers carry.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleInput, policyCommand } from '../../../launcher/commands/policy.js';
import { askEngine, findEngine } from '../../../launcher/policy/engine.js';
import { openPolicy, type Policy } from '../../../launcher/policy/policy.js';
import { launchLauncher, logOf, startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { available } from '../../support/skips.js';
import { makePool } from '../support/pool.js';

const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const engine = fileURLToPath(new URL(`../../../dist/policy-engine-${architecture}`, import.meta.url));
const missing = !available(
  'run initialization policies',
  existsSync(engine),
  'the policy engine is not built: there is no Go',
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-policy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let count = 0;
async function fileOf(text: string): Promise<string> {
  count += 1;
  const file = join(folder, `policy-${String(count)}.rego`);
  await writeFile(file, text);
  return file;
}

const environment = { POOLWRIGHT_POLICY_ENGINE: engine };
const open = async (text: string): Promise<Policy> =>
  openPolicy({ file: await fileOf(text), environment, folder });
const ask = async (text: string) => (await open(text)).assertAllowed(exampleInput());

describe.skipIf(missing)('a policy', () => {
  test('as the guide has it is taken, and allows what it does not deny', async () => {
    await ask('package spacelift\n\ndeny["you shall not pass"] {\n    false\n}\n');
  });

  test.each([
    ['version 0', 'package spacelift\ndeny["you shall not pass"] { true }'],
    ['version 1', 'package spacelift\ndeny contains "you shall not pass" if true'],
    [
      'version 1 by import',
      'package spacelift\nimport rego.v1\ndeny contains "you shall not pass" if { true }',
    ],
  ])('of %s denies', async (_version, text) => {
    await expect(ask(text)).rejects.toMatchObject({
      code: 'RUN_DENIED',
      message: expect.stringContaining('you shall not pass') as string,
    });
  });

  test('denies with every message, in order', async () => {
    const text =
      'package spacelift\ndeny_list := ["c", "a"]\ndeny["b"] { true }\ndeny[x] { x := deny_list[_] }';
    await expect(ask(text)).rejects.toThrow(/denies the run:\n {2}a\n {2}b\n {2}c$/);
  });

  test.each([
    'command := input.run.runtime_config.before_init[_]; contains(command, "tofu")',
    'input.run.runtime_config.runner_image != "registry.example.com/runner:2"',
    'runtime_config.project_root == "environments/production"',
    'run.type == "TRACKED"; stack.name == "network"',
    'not re_match("^(fix|feature)/.*", commit.branch)',
    'input.worker.metadata.instance_id == "i-0123456789abcdef0"',
    'time.now_ns() > input.request.timestamp_ns - 1',
  ])('sees its input: %s', async (condition) => {
    await expect(ask(`package spacelift\ndeny["seen"] { ${condition} }`)).rejects.toThrow(/seen/);
  });

  test('prints', async () => {
    const text = 'package spacelift\ndeny[x] { print("looking at", run.id); x := "no"; false }';
    expect(await ask(text)).toEqual(['looking at 01JD0000000000000000000000']);
  });
});

describe.skipIf(missing)('a policy that cannot be used is refused with its place:', () => {
  test.each([
    ['a missing brace', 'package spacelift\n\ndeny[x] { x := 1', /policy-\d+\.rego:3:\d+: .*unexpected eof/],
    [
      'an unknown function',
      'package spacelift\ndeny[x] { x := nothing(1) }',
      /:2:16: undefined function nothing/,
    ],
    ['the network', 'package spacelift\ndeny[x] { x := http.send({}) }', /undefined function http\.send/],
    [
      'another package',
      'package other\ndeny[x] { x := 1 }',
      /:1:1: expected package spacelift, got package other/,
    ],
    ['no deny', 'package spacelift\nallow { true }', /expected a rule deny/],
    [
      'a rule that only begins like deny',
      'package spacelift\ndeny_images[x] { x := "no" }',
      /expected a rule deny/,
    ],
    [
      'a rule below deny',
      'package spacelift\nimport rego.v1\ndeny.images contains "no" if { true }',
      /:3:1: expected deny to be a set of messages/,
    ],
    [
      'a deny of names and values',
      'package spacelift\ndeny["image"] = "no" { true }',
      /:2:1: expected deny to be a set of messages/,
    ],
    [
      'a deny that is no set',
      'package spacelift\n\n\ndeny { true }',
      /:4:1: expected deny to be a set of messages/,
    ],
    [
      'Rego 1 with a fault',
      'package spacelift\ndeny contains x if { x := y }',
      /:2:27: var y is unsafe|:2:\d+: .*unsafe/,
    ],
  ])('%s', async (_what, text, reason) => {
    await expect(open(text)).rejects.toMatchObject({ code: 'INVALID_SETTINGS' });
    await expect(open(text)).rejects.toThrow(reason);
  });
});

describe.skipIf(missing)('a policy that runs away', () => {
  const slow =
    'package spacelift\ndeny[x] { numbers.range(1, 30000)[i]; numbers.range(1, 30000)[j]; i * j == -1; x := i }';

  test('in time is ended', async () => {
    const started = performance.now();
    const asked = askEngine(engine, { file: 'slow.rego', policy: slow, input: {} }, 1_000);
    await expect(asked).rejects.toThrow('it did not come to an end within 1 s');
    expect(performance.now() - started).toBeGreaterThan(900);
  });

  test('in memory is ended, and the run denied', async () => {
    const text = 'package spacelift\ndeny[x] { x := numbers.range(1, 1000000000) }';
    await expect(ask(text)).rejects.toMatchObject({
      code: 'RUN_DENIED',
      message: expect.stringMatching(/could not be evaluated, so nothing is allowed: it/) as string,
    });
  });
});

describe('a launcher without an engine', () => {
  test('says so', async () => {
    await expect(findEngine({}, folder)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(findEngine({ POOLWRIGHT_POLICY_ENGINE: '/nowhere' }, folder)).rejects.toThrow(
      '/nowhere is not',
    );
  });
});

describe.skipIf(missing)('launcher policy', () => {
  const run = async (...args: string[]) => {
    let printed = '';
    const code = await policyCommand(args, (text) => (printed += text), environment);
    return { code, printed };
  };

  test('input prints what a policy sees', async () => {
    const { code, printed } = await run('input');
    expect(code).toBe(0);
    expect(JSON.parse(printed)).toEqual(exampleInput());
  });

  test('check tries a policy on an input', async () => {
    const file = await fileOf('package spacelift\ndeny["no tasks"] { run.type == "TASK" }');
    const input = join(folder, 'input.json');
    expect(await run('check', file)).toEqual({ code: 0, printed: `${file} can be used.\n` });
    await writeFile(input, '{"run":{"type":"TASK"}}');
    expect(await run('check', file, '--input', input)).toMatchObject({ code: 1 });
    await writeFile(input, '{"run":{"type":"TRACKED"}}');
    expect(await run('check', file, '--input', input)).toEqual({ code: 0, printed: 'Allowed.\n' });
    expect(await run('check')).toMatchObject({ code: 2 });
  });
});

describe.skipIf(missing)('an executable launcher', () => {
  const launcher = fileURLToPath(new URL(`../../../dist/launcher-${architecture}`, import.meta.url));

  test('has a doctor that looks at the policy before the first start, and leaves nothing behind', async () => {
    const scratch = await mkdtemp(join(folder, 'scratch-'));
    const state = join(folder, 'to-be-made');
    const pool = await makePool();
    const looked = await promisify(execFile)(launcher, ['doctor', '--json'], {
      env: {
        ...pool.environment(1),
        TMPDIR: scratch,
        POOLWRIGHT_STATE_DIR: state,
        POOLWRIGHT_EXECUTOR: 'host',
        SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: await fileOf('package spacelift\ndeny["x"] { false }'),
      },
      // Nobody listens where the token leads: exit code 1.
    }).catch((error: unknown) => error as { stdout: string });
    const { findings } = JSON.parse(looked.stdout) as { findings: { check: string; verdict: string }[] };
    expect(findings.filter(({ check }) => check === 'policy')).toMatchObject([{ verdict: 'ok' }]);
    expect([await readdir(scratch), existsSync(state)]).toEqual([[], false]);
  });

  test('carries the engine, and leaves nothing of it behind', async () => {
    const scratch = await mkdtemp(join(folder, 'scratch-'));
    const file = await fileOf('package spacelift\ndeny["x"] { false }');
    const { stdout } = await promisify(execFile)(launcher, ['policy', 'check', file], {
      env: { TMPDIR: scratch },
    });
    expect(stdout).toBe(`${file} can be used.\n`);
    expect(await readdir(scratch)).toEqual([]);
  });
});

describe.skipIf(missing)('a launcher with a policy', () => {
  test('that is wrong ends at start with exit code 2, file, line and reason', async () => {
    const pool = await makePool();
    const file = await fileOf('package spacelift\n\ndeny[x] { x := nothing(1) }\n');
    const launcher = launchLauncher({
      ...pool.environment(1),
      POOLWRIGHT_STATE_DIR: join(folder, 'state'),
      POOLWRIGHT_EXECUTOR: 'host',
      SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: file,
    });
    expect(await launcher.ended).toBe(2);
    expect(launcher.output()).toContain(`${file}:3:16: undefined function nothing`);
    expect(launcher.output()).not.toContain('Registered');
  });

  test(
    'fails a denied run before its workspace is prepared, and runs others',
    { timeout: 120_000 },
    async () => {
      const file = await fileOf(`package spacelift
      deny[sprintf("no %s here", [command])] { command := run.command; contains(command, "rm") }
      deny["never on Fridays"] { contains(run.command, "rm") }
      deny[x] { print("asked about", run.command); x := "never"; false }
    `);
      const plane: TestPlane = await startControlPlane(join(folder, 'plane'), {
        launchers: 1,
        environment: { SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: file },
      });
      try {
        const repository = 'https://git.invalid/never-fetched.git';
        const denied = await plane.triggerRun({ repository, branch: 'main' }, { task: 'rm -rf /' });
        const failed = await plane.reached(denied.stack, denied.run, 'FAILED', 'FINISHED');
        expect(failed.failure).toMatchObject({ code: 'RUN_DENIED' });
        expect(failed.failure?.message).toMatch(/never on Fridays\n.*no rm -rf \/ here/);
        const log = await logOf(plane, denied.stack, denied.run, 'PREPARING');
        expect(log).not.toContain('Fetching');
        expect(log).toContain('never on Fridays');
        const allowed = await plane.triggerRun({}, { task: 'echo fine' });
        const done = await plane.reached(allowed.stack, allowed.run, 'FAILED', 'FINISHED');
        expect(done.failure).toBeNull();
        expect(await logOf(plane, allowed.stack, allowed.run, 'PREPARING')).toContain(
          'asked about echo fine',
        );
        expect(await readdir(join(folder, 'plane'))).toContain('data');
      } finally {
        await plane.close();
      }
    },
  );
});
