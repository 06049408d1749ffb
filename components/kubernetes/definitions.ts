// The definitions of the custom resources, which all pools of a cluster share, whichever stacks they belong to.
import { CustomResourceDefinitionPatch } from '@pulumi/kubernetes/apiextensions/v1/customResourceDefinitionPatch.js';
import type * as inputs from '@pulumi/kubernetes/types/input.js';
import { definitions } from '../../protocol/kubernetes/definitions.js';
import type { ChildOptions } from '../plan.js';

/** Owns the fields of the definitions, in whichever stack: so stacks do not quarrel over them, and others notice. */
export const fieldManager = 'poolwright-workerpools';

/**
 * Server-side apply makes a definition that is not there and brings another to this version. The engine never deletes
 * it: with it, the API server would delete the pools of all other stacks.
 */
export function sharedDefinitions(name: string, options: ChildOptions): CustomResourceDefinitionPatch[] {
  return definitions().map(
    ({ kind, apiVersion, metadata, spec }) =>
      new CustomResourceDefinitionPatch(
        `${name}-${metadata.name.split('.')[0] ?? ''}`,
        {
          apiVersion,
          kind,
          metadata: { name: metadata.name, annotations: { 'pulumi.com/patchFieldManager': fieldManager } },
          spec: spec as inputs.apiextensions.v1.CustomResourceDefinitionSpecPatch,
        },
        { ...options, retainOnDelete: true },
      ),
  );
}
