// Every field of a schema with what a reader of the documentation must be told of it.
import { z } from 'zod';

/** Path such as `environment[].name` to the bounds and words that must stand beside it. */
export type Facts = Map<string, Set<string>>;

// The parts of a JSON schema that zod writes for ours.
const node = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  propertyNames: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  const: z.union([z.string(), z.number()]).optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  maximum: z.number().optional(),
});

/** All fields, those of alternatives together. Fields with fields of their own appear by those. */
export function factsOf(schema: z.ZodType): Facts {
  const facts: Facts = new Map();
  collect(z.toJSONSchema(schema, { io: 'input' }), '', facts);
  return facts;
}

function collect(value: unknown, path: string, facts: Facts): void {
  const {
    properties,
    items,
    anyOf = [],
    oneOf = [],
    propertyNames,
    additionalProperties,
    ...own
  } = node.parse(value);
  if (path !== '') {
    const known = facts.get(path) ?? new Set();
    facts.set(path, known);
    for (const word of [...(own.enum ?? []), own.const ?? []].flat()) known.add(`\`${String(word)}\``);
    for (const bound of [own.maxLength, own.maxItems, own.maximum]) {
      // Whole numbers have no bound that a reader needs to know.
      if (bound !== undefined && bound < Number.MAX_SAFE_INTEGER) known.add(bound.toLocaleString('en-US'));
    }
  }
  for (const [name, field] of Object.entries(properties ?? {})) {
    collect(field, path === '' ? name : `${path}.${name}`, facts);
  }
  for (const alternative of [...anyOf, ...oneOf]) collect(alternative, path, facts);
  for (const part of [propertyNames, additionalProperties])
    if (typeof part === 'object') collect(part, path, facts);
  if (items !== undefined) collect(items, hasFields(items) ? `${path}[]` : path, facts);
}

function hasFields(value: unknown): boolean {
  return node.parse(value).properties !== undefined;
}
