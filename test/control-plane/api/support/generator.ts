// Questions made from the schema by a seeded generator: every operation, argument and field, with values that fit and
// values that do not, as literals and as variables.
import {
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';

/** A number from 0 to below 1. */
export type Random = () => number;

/** Mulberry32: small, and the same everywhere. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Question {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operation: 'query' | 'mutation';
  readonly field: string;
}

const oddTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '🪣'.repeat(50),
  "'; drop table stacks; --",
  '%_\\',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  '\n\r\t',
  'x'.repeat(300),
  'y'.repeat(70_000),
  '-1',
  '9'.repeat(40),
];
const oddNumbers = [0, -1, 1, 500, 501, 2_147_483_647, -2_147_483_648, 2_147_483_648, 1.5, 1e300];

export interface Words {
  /** Ids of things that are there, of whichever kind. */
  readonly ids: readonly string[];
  /** Texts that something may make of: names of fields of searches, commands. */
  readonly texts: readonly string[];
}

export function createGenerator(schema: GraphQLSchema, words: Words, random: Random) {
  const chance = (share: number) => random() < share;
  const pick = <T>(list: readonly T[]): T => {
    const found = list[Math.floor(random() * list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  };

  function value(type: GraphQLInputType, depth = 0): unknown {
    if (chance(0.04)) return pick<unknown>([null, {}, [], true, 7, 'x', [[]], { x: 1 }]);
    if (!isNonNullType(type) && chance(0.1)) return null;
    const inner = getNullableType(type);
    if (isListType(inner)) {
      const count = Math.floor(random() * 3);
      return Array.from({ length: count }, () => value(inner.ofType, depth + 1));
    }
    if (isInputObjectType(inner)) {
      const fields = Object.values(inner.getFields()).filter(
        (field) => isNonNullType(field.type) || chance(0.5),
      );
      return Object.fromEntries(fields.map((field) => [field.name, value(field.type, depth + 1)]));
    }
    if (isEnumType(inner)) return chance(0.95) ? pick(inner.getValues()).name : 'NOTHING';
    switch (getNamedType(inner).name) {
      case 'ID':
        return chance(0.8) ? pick(words.ids) : pick(oddTexts);
      case 'Int':
        return chance(0.5) ? Math.floor(random() * 100) : pick(oddNumbers);
      case 'Boolean':
        return chance(0.5);
      default:
        return chance(0.7) ? pick([...words.ids, ...words.texts]) : pick(oddTexts);
    }
  }

  /** GraphQL's own way to write a value; enumerations are words without quotes. */
  function literal(type: GraphQLInputType, given: unknown): string {
    const inner = getNullableType(type);
    if (given === null || typeof given === 'number' || typeof given === 'boolean') return String(given);
    if (Array.isArray(given)) {
      const entry = isListType(inner) ? inner.ofType : inner;
      return `[${given.map((one) => literal(entry, one)).join(', ')}]`;
    }
    if (typeof given === 'object') {
      const fields = isInputObjectType(inner) ? inner.getFields() : {};
      const entries = Object.entries(given).map(
        ([name, one]) => `${name}: ${literal(fields[name]?.type ?? type, one)}`,
      );
      return `{ ${entries.join(', ')} }`;
    }
    const text = typeof given === 'string' ? given : '';
    return isEnumType(inner) && /^\w+$/.test(text) ? text : JSON.stringify(text);
  }

  return function question(operation: 'query' | 'mutation'): Question {
    const variables: Record<string, unknown> = {};
    const declared: string[] = [];

    function call(field: GraphQLField<unknown, unknown>, depth: number): string {
      const parts = field.args
        .filter((argument) => isNonNullType(argument.type) || chance(0.5))
        .map((argument) => {
          const given = value(argument.type);
          if (chance(0.5)) return `${argument.name}: ${literal(argument.type, given)}`;
          const name = `v${String(declared.length)}`;
          declared.push(`$${name}: ${String(argument.type)}`);
          variables[name] = given;
          return `${argument.name}: $${name}`;
        });
      return `${field.name}${parts.length === 0 ? '' : `(${parts.join(', ')})`}${selection(field, depth)}`;
    }

    function selection(field: GraphQLField<unknown, unknown>, depth: number): string {
      const type = getNamedType(field.type);
      if (isLeafType(type) || !isObjectType(type)) return '';
      const all = Object.values(type.getFields());
      const leaves = all.filter((one) => isLeafType(getNamedType(one.type)));
      const others = all.filter((one) => !isLeafType(getNamedType(one.type)));
      const chosen = [
        ...leaves.filter(() => chance(0.6)),
        ...(depth > 5 ? [] : others.filter(() => chance(0.6 / depth))),
      ];
      if (chosen.length === 0 && chance(0.95)) return ' { __typename }';
      return ` { ${chosen.map((one, index) => `f${String(index)}: ${call(one, depth + 1)}`).join(' ')} }`;
    }

    const root: GraphQLObjectType | null | undefined =
      operation === 'query' ? schema.getQueryType() : schema.getMutationType();
    const field = pick(Object.values(root?.getFields() ?? {}));
    const body = call(field, 1);
    const head = declared.length === 0 ? operation : `${operation} (${declared.join(', ')})`;
    return { query: `${head} { ${body} }`, variables, operation, field: field.name };
  };
}
