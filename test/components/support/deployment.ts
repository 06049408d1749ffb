// Deploys a component in a stand-in of the engine and the clouds, and tells what was asked of them.
import * as pulumi from '@pulumi/pulumi';
import { getMonitor } from '@pulumi/pulumi/runtime/settings.js';

/** One resource as it was registered. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  /** Secrets are `[secret] …`, values that are not known yet `[unknown]`. */
  readonly inputs: Record<string, unknown>;
  /** Name of the parent, or '' for the stack. */
  readonly parent: string;
  readonly ignoreChanges: readonly string[];
  readonly dependencies: readonly string[];
  readonly provider: string;
  /** The engine leaves it where it is when its stack is destroyed. */
  readonly retained: boolean;
  /** How long its deletion may take, such as `4800s`; or ''. */
  readonly deleteTimeout: string;
}

export interface Deployment {
  readonly resources: readonly Registered[];
  /** The one resource of this type; the type's last part is enough. */
  one(type: string): Registered;
  readonly warnings: readonly string[];
}

export type Answers = (token: string, inputs: Record<string, unknown>) => Record<string, unknown>;

interface RegisterRequest {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProvider(): string;
  getObject(): { toJavaScript(): Record<string, unknown> };
  getIgnorechangesList(): string[];
  getDependenciesList(): string[];
  getRetainondelete(): boolean;
  getCustomtimeouts(): { getDelete(): string } | undefined;
}
interface Monitor {
  registerResource(request: RegisterRequest, callback: unknown): unknown;
}

const secretKey = '4dabf18193072939515e22adb298388d';
const unknownValue = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

/** State that clouds would add, by type. */
export type States = (type: string, name: string, inputs: Record<string, unknown>) => Record<string, unknown>;

/** Runs `create` and waits until every resource has been registered. Fails as a deployment would. */
export async function deploy(
  create: () => unknown,
  clouds: { readonly states: States; readonly answers: Answers },
  preview = false,
): Promise<Deployment> {
  const resources: Registered[] = [];
  const warnings: string[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const state = clouds.states(type, name, inputs as Record<string, unknown>);
        const id = typeof state['id'] === 'string' ? state['id'] : `${name}-id`;
        return { id, state: { ...(inputs as object), ...state } };
      },
      call: ({ token, inputs }) => clouds.answers(token, inputs as Record<string, unknown>),
    },
    'project',
    'stack',
    preview,
  );
  const monitor = getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    resources.push({
      type: request.getType(),
      name: request.getName(),
      inputs: readable(request.getObject().toJavaScript()) as Record<string, unknown>,
      parent: request.getParent().split('::').at(-1) ?? '',
      ignoreChanges: request.getIgnorechangesList(),
      dependencies: request.getDependenciesList().map((urn) => urn.split('::').at(-1) ?? ''),
      provider: request.getProvider(),
      retained: request.getRetainondelete(),
      deleteTimeout: request.getCustomtimeouts()?.getDelete() ?? '',
    });
    return register(request, callback);
  };
  const warn = pulumi.log.warn;
  Object.assign(pulumi.log, {
    warn: (message: string) => {
      warnings.push(message);
      return Promise.resolve();
    },
  });
  try {
    await create();
    await pulumi.runtime.disconnect();
  } finally {
    Object.assign(pulumi.log, { warn });
  }
  return {
    resources: resources.sort((a, b) => order(a) - order(b) || compare(a, b)),
    one(type) {
      const found = resources.filter(
        (resource) => resource.type === type || resource.type.endsWith(`:${type}`),
      );
      if (found.length !== 1) throw new Error(`${String(found.length)} resources of type ${type}`);
      return found[0]!;
    },
    warnings,
  };
}

/** The value of an output, and whether it is secret. */
export async function valueOf<Value>(
  output: pulumi.Output<Value>,
): Promise<{ value: Value; secret: boolean }> {
  const value = await new Promise<Value>((resolve) => {
    output.apply((known) => {
      resolve(known);
    });
  });
  return { value, secret: await pulumi.isSecret(output) };
}

function readable(value: unknown): unknown {
  if (value === unknownValue) return '[unknown]';
  if (Array.isArray(value)) return value.map(readable);
  if (value !== null && typeof value === 'object') {
    if (secretKey in value && 'value' in value) {
      const inner = readable((value as { value: unknown }).value);
      return `[secret] ${typeof inner === 'string' ? inner : JSON.stringify(inner)}`;
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, readable(item)]));
  }
  return value;
}

const order = ({ type }: Registered) => (type.startsWith('workerpools:') ? 0 : 1);
const compare = (a: Registered, b: Registered) => `${a.type} ${a.name}`.localeCompare(`${b.type} ${b.name}`);

/** An output whose value only a deployment will tell. */
export function unknownOutput<Value>(): pulumi.Output<Value> {
  const constructor = pulumi.Output as unknown as new (...parts: unknown[]) => pulumi.Output<Value>;
  const no = Promise.resolve(false);
  return new constructor([], Promise.resolve(undefined), no, no, Promise.resolve([]));
}
