// The schema text with its resolvers. A resolver without a field is a mistake that shows at start.
import { buildSchema, isObjectType, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import { PoolwrightError } from '../../protocol/errors.js';

/** Type name → field name → resolver. The arguments' types are those of the schema, which GraphQL has checked. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each resolver has the types of its own field
type Resolver = GraphQLFieldResolver<any, any>;
export type Resolvers = Readonly<Record<string, Readonly<Record<string, Resolver>>>>;

export function executableSchema(text: string, parts: readonly Resolvers[]): GraphQLSchema {
  const schema = buildSchema(text);
  for (const [typeName, fields] of parts.flatMap((part) => Object.entries(part))) {
    const type = schema.getType(typeName);
    for (const [fieldName, resolve] of Object.entries(fields)) {
      const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
      if (field === undefined) {
        throw new PoolwrightError('INTERNAL', `The API's schema has no field ${typeName}.${fieldName}.`);
      }
      field.resolve = resolve;
    }
  }
  return schema;
}
