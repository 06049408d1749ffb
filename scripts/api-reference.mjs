// npm run api-reference [-- --check]: writes the last part of docs/api.md, every operation and type of the public API,
// from control-plane/api/schema.graphql. With --check nothing is written, and a difference is a failure.
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isIntrospectionType,
  isSpecifiedScalarType,
} from 'graphql';
import { readFileSync, writeFileSync } from 'node:fs';

const place = (path) => new URL(`../${path}`, import.meta.url);
const page = place('docs/api.md');
const start = '<!-- From here on written by `npm run api-reference`. -->';

const schema = buildSchema(readFileSync(place('control-plane/api/schema.graphql'), 'utf8'));
const roots = [schema.getQueryType(), schema.getMutationType()];

const words = (text) => (text ?? '').replaceAll('\n', ' ');
const given = ({ name, type }) => `${name}: ${type}`;

function signature({ name, args, type }) {
  return args.length === 0 ? `${name}: ${type}` : `${name}(${args.map(given).join(', ')}): ${type}`;
}

function line(code, description) {
  return `- \`${code}\`${description ? `: ${words(description)}` : ''}`;
}

function section(type) {
  const show = isEnumType(type) ? ({ name }) => name : isInputObjectType(type) ? given : signature;
  const entries = isEnumType(type) ? type.getValues() : Object.values(type.getFields());
  return [
    `### ${type.name}`,
    '',
    ...(type.description ? [words(type.description), ''] : []),
    ...entries.map((entry) => line(show(entry), entry.description)),
    '',
  ];
}

const types = Object.values(schema.getTypeMap())
  .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type) && !roots.includes(type))
  .sort((one, other) => (one.name < other.name ? -1 : 1));

const before = readFileSync(page, 'utf8');
const [own] = before.split(start);
const after = [own.trimEnd(), '', start, '', '## Queries and mutations', '']
  .concat(roots.flatMap(section), ['## Types', ''], types.flatMap(section))
  .join('\n');

if (!process.argv.includes('--check')) writeFileSync(page, after);
else if (after !== before) {
  console.error(
    'docs/api.md does not say what control-plane/api/schema.graphql does: run npm run api-reference',
  );
  process.exitCode = 1;
}
