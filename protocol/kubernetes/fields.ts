// Kinds of fields that occur in the custom resources, as zod schemas that can also be written as OpenAPI.
import * as z from 'zod';
import { parseDuration } from '../duration.js';

/** What the API server is told about a field beyond JSON Schema; goes into the schema as it is. */
export interface ApiServerMeta {
  readonly description?: string;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-int-or-string'?: true;
  /** Type of the Kubernetes API that the field has, such as `core.v1.Affinity`: for typed arguments. */
  readonly native?: string;
}

export function described<Schema extends z.ZodType>(schema: Schema, meta: ApiServerMeta | string): Schema {
  return schema.meta(typeof meta === 'string' ? { description: meta } : { ...meta });
}

export type NativeObject = Readonly<Record<string, unknown>>;

/** An object of the Kubernetes API, checked by the API server when the pod is created. */
export function native(type: string, description: string): z.ZodType<NativeObject> {
  return described(z.record(z.string(), z.unknown()), {
    description,
    native: type,
    'x-kubernetes-preserve-unknown-fields': true,
  });
}

/** The same with a name, as volumes and containers have it. */
export function namedNative(type: string, description: string) {
  return described(z.looseObject({ name: z.string().min(1) }), {
    description,
    native: type,
    'x-kubernetes-preserve-unknown-fields': true,
  });
}

/** A Go duration such as `1h30m`. */
export function goDuration(description: string) {
  return described(z.string().regex(/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/), description);
}

/** Milliseconds of a Go duration that the API server has let through. */
export const millisecondsOf = (duration: string): number => parseDuration(duration);

export function stringMap(description: string) {
  return described(z.record(z.string(), z.string()), description);
}

/** An amount such as `500m`, `200Mi` or 2. */
const quantity = described(z.union([z.int(), z.string()]), { 'x-kubernetes-int-or-string': true });

/** Users leave `requests:` and `limits:` empty to fill them in later, which is null. */
const amounts = (description: string) => described(z.record(z.string(), quantity).nullable(), description);

export const resources = described(
  z.object({
    requests: amounts('What the container asks for.').optional(),
    limits: amounts('What the container gets at most.').optional(),
    claims: z
      .array(namedNative('core.v1.ResourceClaim', 'Name of a resource claim of the pod.'))
      .optional()
      .describe('Resource claims that the container uses.'),
  }),
  'CPU and memory, as Kubernetes has them.',
);

export const secretKeyRef = described(
  z.object({
    name: described(z.string().min(1), 'Name of the Secret, in the namespace of the pool.'),
    key: described(z.string().min(1), 'Key in the Secret.'),
    optional: described(z.boolean().optional(), 'Accepted for older manifests; the Secret is always needed.'),
  }),
  'One key of a Secret.',
);
