// npm run run-states [-- --check]: writes the tables of run states and run types in docs/operating.md from
// control-plane/runs/transitions.ts. With --check nothing is written, and a difference is a failure.
import { build } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const place = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const page = place('docs/operating.md');
const start = '<!-- From here on written by `npm run run-states`. -->';
const end = '<!-- To here. -->';

/** The modules as Node can load them: types are taken out, and what they import is put in. */
async function load(...paths) {
  const contents = paths.map((path) => `export * from './${path}';`).join('\n');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: place('.'), loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const { transitions, firstStage, isEnd, isWrite, runStates, runTypes, unbegunAttemptsAllowed } = await load(
  'control-plane/runs/transitions.ts',
  'protocol/runs.ts',
);

function duration(milliseconds) {
  const units = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1000 };
  const [name, length] = Object.entries(units).find(
    ([, unit]) => milliseconds % unit === 0 && milliseconds > unit,
  );
  return `${milliseconds / length} ${name}`;
}

function outcome({ then, because }) {
  if (then !== 'requeue') return `${then}: ${because}`;
  return `back to the queue, FAILED after ${unbegunAttemptsAllowed} workers in a row: ${because}`;
}

const row = (...cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [
  row(...head),
  row(...head.map(() => '---')),
  ...rows.map((cells) => row(...cells)),
  '',
];

const rules = runStates.map((state) => ({ state, ...transitions[state] }));
const lines = [
  ...table(
    ['state', 'what it means', 'lasts at most', 'then', 'may be followed by'],
    rules
      .filter(({ state }) => !isEnd(state))
      .map((rule) => [rule.state, rule.means, duration(rule.lasts), outcome(rule), rule.next.join(', ')]),
  ),
  ...table(
    ['end', 'what it means'],
    rules.filter(({ state }) => isEnd(state)).map(({ state, means }) => [state, means]),
  ),
  ...table(
    ['type', 'first stage', 'changes things'],
    runTypes.map((type) => [type, firstStage(type), isWrite(type) ? 'yes: one at a time of a stack' : 'no']),
  ),
];

const before = readFileSync(page, 'utf8');
const [above, rest] = before.split(start);
const below = rest?.split(end)[1];
if (below === undefined) {
  console.error(
    `docs/operating.md has no place for the states of runs: the lines ${start} and ${end} around it`,
  );
  process.exit(1);
}
const after = `${above}${start}\n\n${lines.join('\n')}\n${end}${below}`;

if (!process.argv.includes('--check')) writeFileSync(page, after);
else if (after !== before) {
  console.error(
    'docs/operating.md does not say what control-plane/runs/transitions.ts does: run npm run run-states',
  );
  process.exitCode = 1;
}
