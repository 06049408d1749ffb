// Stand-in of a cluster for deployments without an engine: objects without a name get one, as from Pulumi's provider.
import type { Answers, States } from './deployment.js';

const states: States = (_, name, inputs) => {
  const metadata = (inputs['metadata'] ?? {}) as Record<string, unknown>;
  return { metadata: { ...metadata, name: metadata['name'] ?? `${name}-1a2b3c4d` } };
};

const answers: Answers = (token) => {
  throw new Error(`unexpected look-up ${token}`);
};

export const kubernetes = { states, answers };
