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
  VariablesInAllowedPositionRule,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLType,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

/** Levels of fields in one another; the deepest that clients ask for has 8. */
const deepest = 12;
/** Fields in all, those of a fragment counted wherever it is used. */
const most = 2000;

interface Size {
  readonly depth: number;
  readonly fields: number;
}

/** Refuses what would take the control plane long to answer. */
const bounded: ValidationRule = (context) => {
  const known = new Map<string, Size>();

  function sizeOf(set: SelectionSetNode | undefined): Size {
    let depth = 0;
    let fields = 0;
    for (const selection of set?.selections ?? []) {
      const own = selection.kind === Kind.FIELD ? 1 : 0;
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? sizeOfFragment(context.getFragment(selection.name.value))
          : sizeOf(selection.selectionSet);
      depth = Math.max(depth, own + inner.depth);
      fields += own + inner.fields;
    }
    return { depth, fields };
  }

  function sizeOfFragment(fragment: FragmentDefinitionNode | null | undefined): Size {
    if (fragment == null) return { depth: 0, fields: 0 };
    const name = fragment.name.value;
    const found = known.get(name);
    if (found !== undefined) return found;
    // A fragment that holds itself is another rule's affair; here it must only not go round for ever.
    known.set(name, { depth: 0, fields: 0 });
    const size = sizeOf(fragment.selectionSet);
    known.set(name, size);
    return size;
  }

  return {
    OperationDefinition(operation) {
      const { depth, fields } = sizeOf(operation.selectionSet);
      const fault =
        depth > deepest
          ? `is deeper than ${String(deepest)} levels`
          : fields > most
            ? `has more than ${String(most)} fields`
            : undefined;
      if (fault !== undefined) {
        context.reportError(new GraphQLError(`The query ${fault}. Ask in several smaller ones.`));
      }
    },
  };
};

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

export const validationRules: readonly ValidationRule[] = [
  bounded,
  ...specifiedRules.map((rule) => (rule === VariablesInAllowedPositionRule ? variablesInPosition : rule)),
];
