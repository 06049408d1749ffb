// What a GraphQL document may be: bounded in depth and size, and a little more lenient than the specification.
import {
  GraphQLError,
  GraphQLID,
  GraphQLString,
  getNamedType,
  isListType,
  isNonNullType,
  isObjectType,
  isTypeSubTypeOf,
  Kind,
  GraphQLList,
  GraphQLNonNull,
  specifiedRules,
  typeFromAST,
  VariablesInAllowedPositionRule,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { valuesOf, type Variables } from './sizes.js';

/** Levels of fields in one another; the deepest that clients ask for has 9. */
const deepest = 12;
/** The introspection that tools start with has 13 levels; the library itself bounds how lists nest there. */
const deepestIntrospection = 20;
/** Fields in all, those of a fragment counted wherever it is used. */
const most = 2000;
/** Values in the answer at most, as sizes.ts counts them: the fields below a list once for each of its entries. */
const mostValues = 200_000;

interface Size {
  readonly depth: number;
  readonly fields: number;
  readonly values: number;
}

/** The API has no interfaces and no unions. */
type OutputType = GraphQLObjectType | undefined;

const nothing: Size = { depth: 0, fields: 0, values: 0 };

/** Refuses what would take the control plane long to answer. */
const bounded =
  (variables: Variables): ValidationRule =>
  (context) => {
    const known = new Map<string, Size>();

    /** `type`: that of which the selections are; undefined where a document asks for what is not there, which another rule says. */
    function sizeOf(set: SelectionSetNode | undefined, type: OutputType): Size {
      let { depth, fields, values } = nothing;
      for (const selection of set?.selections ?? []) {
        if (selection.kind === Kind.FIELD) {
          const inner = sizeOf(selection.selectionSet, typeOf(selection, type));
          depth = Math.max(depth, 1 + inner.depth);
          fields += 1 + inner.fields;
          values += valuesOf(type?.name ?? '', selection, inner.values, variables);
          continue;
        }
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? sizeOfFragment(context.getFragment(selection.name.value))
            : sizeOf(selection.selectionSet, named(selection.typeCondition?.name.value) ?? type);
        depth = Math.max(depth, inner.depth);
        fields += inner.fields;
        values += inner.values;
      }
      return { depth, fields, values };
    }

    function sizeOfFragment(fragment: FragmentDefinitionNode | null | undefined): Size {
      if (fragment == null) return nothing;
      const name = fragment.name.value;
      const found = known.get(name);
      if (found !== undefined) return found;
      // A fragment that holds itself is another rule's affair; here it must only not go round for ever.
      known.set(name, nothing);
      const size = sizeOf(fragment.selectionSet, named(fragment.typeCondition.name.value));
      known.set(name, size);
      return size;
    }

    function named(name: string | undefined): OutputType {
      const type = name === undefined ? undefined : context.getSchema().getType(name);
      return isObjectType(type) ? type : undefined;
    }

    return {
      OperationDefinition(operation) {
        const { depth, fields, values } = sizeOf(
          operation.selectionSet,
          context.getSchema().getRootType(operation.operation) ?? undefined,
        );
        const allowed = isIntrospection(operation) ? deepestIntrospection : deepest;
        const faults = [
          depth > allowed ? `is deeper than ${String(allowed)} levels` : undefined,
          fields > most ? `has more than ${String(most)} fields` : undefined,
          values > mostValues ? `may give more than ${String(mostValues)} values` : undefined,
        ];
        const fault = faults.find((found) => found !== undefined);
        if (fault !== undefined) {
          context.reportError(new GraphQLError(`The query ${fault}. Ask in several smaller ones.`));
        }
      },
    };
  };

function isIntrospection({ selectionSet }: OperationDefinitionNode): boolean {
  return selectionSet.selections.every(
    (selection) => selection.kind === Kind.FIELD && selection.name.value.startsWith('__'),
  );
}

function typeOf({ name }: FieldNode, type: OutputType): OutputType {
  const field = type?.getFields()[name.value];
  const found = field === undefined ? undefined : getNamedType(field.type);
  return isObjectType(found) ? found : undefined;
}

/**
 * As the specification's rule of the same purpose, but a variable declared as String may stand where an ID is
 * expected: clients in languages without an ID type declare them so, and both are strings on the wire.
 */
const variablesInPosition: ValidationRule = (context) => ({
  OperationDefinition: {
    leave(operation) {
      const definitions = new Map(
        (operation.variableDefinitions ?? []).map((definition) => [
          definition.variable.name.value,
          definition,
        ]),
      );
      for (const { node, type, defaultValue } of context.getRecursiveVariableUsages(operation)) {
        const definition = definitions.get(node.name.value);
        const declared = definition && typeFromAST(context.getSchema(), definition.type);
        if (declared === undefined || type == null) continue;
        const hasDefault =
          definition?.defaultValue !== undefined && definition.defaultValue.kind !== Kind.NULL;
        if (fits(context, declared, type, hasDefault || defaultValue !== undefined)) continue;
        context.reportError(
          new GraphQLError(
            `Variable "$${node.name.value}" of type "${String(declared)}" used in position expecting type "${String(type)}".`,
            { nodes: definition === undefined ? [node] : [definition, node] },
          ),
        );
      }
    },
  },
});

function fits(
  context: ValidationContext,
  declared: GraphQLType,
  expected: GraphQLInputType,
  hasDefault: boolean,
): boolean {
  const schema = context.getSchema();
  const accepts = (type: GraphQLType) =>
    isTypeSubTypeOf(schema, declared, type) || isTypeSubTypeOf(schema, declared, stringForId(type));
  if (isNonNullType(expected) && !isNonNullType(declared)) return hasDefault && accepts(expected.ofType);
  return accepts(expected);
}

function stringForId(type: GraphQLType): GraphQLType {
  if (isNonNullType(type)) return new GraphQLNonNull(stringForId(type.ofType) as GraphQLInputType);
  if (isListType(type)) return new GraphQLList(stringForId(type.ofType));
  return type === GraphQLID ? GraphQLString : type;
}

/** The rules for a document with the values of its variables. */
export function validationRules(variables: Variables): readonly ValidationRule[] {
  return [
    bounded(variables),
    ...specifiedRules.map((rule) => (rule === VariablesInAllowedPositionRule ? variablesInPosition : rule)),
  ];
}
