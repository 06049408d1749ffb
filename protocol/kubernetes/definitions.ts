// The CustomResourceDefinitions, as objects for the API server. Made from resources.ts, so that what the API server
// accepts is what the controller reads.
import * as z from 'zod';
import { group, plural, version } from './names.js';
import { workerPoolSpec, workerPoolStatus, workerStatus } from './resources.js';

export type Schema = { [key: string]: unknown };

export interface Definition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Schema;
}

/** Structural schema of a resource's part. `native` tells the types of the Kubernetes API, for typed arguments. */
export function schemaOf(part: z.ZodType, options: { readonly native?: boolean } = {}): Schema {
  return z.toJSONSchema(part, {
    target: 'openapi-3.0',
    io: 'input',
    override({ jsonSchema }) {
      const schema = jsonSchema as Schema;
      if (options.native !== true) delete schema['native'];
      // The bounds of JavaScript's numbers say nothing to users.
      if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
      if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
      if (schema['description'] === '') delete schema['description'];
      if (schema['x-kubernetes-preserve-unknown-fields'] === true) delete schema['additionalProperties'];
      if (schema['x-kubernetes-int-or-string'] === true)
        schema['anyOf'] = [{ type: 'integer' }, { type: 'string' }];
      if (schema['type'] === 'object') {
        delete schema['propertyNames'];
        if (schema['additionalProperties'] === false) delete schema['additionalProperties'];
      }
    },
  });
}

function definition(
  kind: string,
  names: { readonly plural: string; readonly shortNames?: readonly string[] },
  version_: Schema,
): Definition {
  const singular = kind.toLowerCase();
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, singular, ...names },
      versions: [{ name: version, served: true, storage: true, ...version_ }],
    },
  };
}

function whole(description: string, spec: Schema, status: Schema, required: readonly string[] = []): Schema {
  return {
    openAPIV3Schema: {
      type: 'object',
      description,
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { type: 'object' },
        spec,
        status,
      },
      ...(required.length === 0 ? {} : { required }),
    },
  };
}

export function definitions(): readonly Definition[] {
  return [
    definition(
      'WorkerPool',
      { plural: plural.pool },
      {
        schema: whole(
          'A pool of workers in this cluster.',
          schemaOf(workerPoolSpec),
          schemaOf(workerPoolStatus),
          ['spec'],
        ),
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.poolSize',
            statusReplicasPath: '.status.actualPoolSize',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          { name: 'Desired pool size', type: 'integer', jsonPath: '.status.desiredPoolSize' },
          { name: 'Actual pool size', type: 'integer', jsonPath: '.status.actualPoolSize' },
          { name: 'Auto registered', type: 'boolean', jsonPath: '.status.autoRegistered' },
        ],
      },
    ),
    definition(
      'Worker',
      { plural: plural.worker },
      {
        schema: whole(
          'A worker of a pool. Made by the controller.',
          { type: 'object' },
          schemaOf(workerStatus),
        ),
        subresources: { status: {} },
        additionalPrinterColumns: [
          {
            name: 'Pool',
            type: 'string',
            jsonPath: '.metadata.annotations.workers\\.spacelift\\.io/workerpool-name',
          },
          { name: 'Registered', type: 'boolean', jsonPath: '.status.registered' },
          { name: 'Status', type: 'string', jsonPath: '.status.state' },
          { name: 'Run ID', type: 'string', jsonPath: '.status.currentRunID' },
        ],
      },
    ),
  ];
}
