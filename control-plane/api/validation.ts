// What a GraphQL document may be: bounded in depth and size, and a little more lenient than the specification.
import {
  GraphQLError,
  GraphQLID,
  GraphQLString,
  isListType,
  isNonNullType,
  isTypeSubTypeOf,
  Kind,
  GraphQLList,
  GraphQLNonNull,
  specifiedRules,
  typeFromAST,
  valueFromASTUntyped,
  VariablesInAllowedPositionRule,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { largestPage, usualPage } from '../store/search.js';

/** Levels of fields in one another; the deepest that clients ask for has 9. */
const deepest = 12;
/** The introspection that tools start with has 13 levels; the library itself bounds how lists nest there. */
const deepestIntrospection = 20;
/** Fields in all, those of a fragment counted wherever it is used. */
const most = 2000;
/** Values in the answer at most: the fields below a list count once for each of its entries. */
const mostValues = 200_000;

/** Entries of a list that nobody bounds by `first`, at most or as a fair guess. */
const entries: Readonly<Record<string, number>> = {
  workerPools: 100,
  workers: 100,
  runs: 50,
  proposedRuns: 50,
  tasks: 50,
  history: 20,
  config: 20,
  usedBy: 100,
  dependsOn: 10,
  isDependedOnBy: 10,
  webhooks: 20,
};

interface Size {
  readonly depth: number;
  readonly fields: number;
  readonly values: number;
}

const nothing: Size = { depth: 0, fields: 0, values: 0 };

/** Refuses what would take the control plane long to answer. */
const bounded =
  (variables: Variables): ValidationRule =>
  (context) => {
    const known = new Map<string, Size>();

    function sizeOf(set: SelectionSetNode | undefined): Size {
      let { depth, fields, values } = nothing;
      for (const selection of set?.selections ?? []) {
        const own = selection.kind === Kind.FIELD ? 1 : 0;
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? sizeOfFragment(context.getFragment(selection.name.value))
            : sizeOf(selection.selectionSet);
        depth = Math.max(depth, own + inner.depth);
        fields += own + inner.fields;
        values += own + inner.values * (selection.kind === Kind.FIELD ? entriesOf(selection, variables) : 1);
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
      const size = sizeOf(fragment.selectionSet);
      known.set(name, size);
      return size;
    }

    return {
      OperationDefinition(operation) {
        const { depth, fields, values } = sizeOf(operation.selectionSet);
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

/** How many entries a field's answer may have. */
function entriesOf({ name, arguments: args }: FieldNode, variables: Variables): number {
  const input = args?.find((argument) => argument.name.value === 'input')?.value;
  if (input === undefined || !name.value.startsWith('search')) return entries[name.value] ?? 1;
  const value: unknown = valueFromASTUntyped(input, { ...variables });
  const first = typeof value === 'object' && value !== null && 'first' in value ? value.first : undefined;
  return typeof first === 'number' ? Math.min(Math.max(first, 0), largestPage) : usualPage;
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

type Variables = Readonly<Record<string, unknown>>;

/** The rules for a document with the values of its variables. */
export function validationRules(variables: Variables): readonly ValidationRule[] {
  return [
    bounded(variables),
    ...specifiedRules.map((rule) => (rule === VariablesInAllowedPositionRule ? variablesInPosition : rule)),
  ];
}
