// What is kept in memory of a Worker: thousands of them are alike, so what they have in common is kept once.
import type { Metadata, Worker } from './objects.js';

/** Different values that are remembered; beyond, new ones are kept as they come. */
const most = 10_000;

/** The fields that the controller reads, sharing equal ones. */
export function keptOfWorkers(): (worker: Worker) => Worker {
  const known = new Map<string, object>();

  function shared<Value extends object>(value: Value | undefined): Value | undefined {
    if (value === undefined) return undefined;
    const text = JSON.stringify(value);
    const before = known.get(text);
    if (before !== undefined) return before as Value;
    if (known.size < most) known.set(text, value);
    return value;
  }

  return ({ metadata, status }) => {
    const { name, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
    const common = shared({
      namespace: metadata.namespace,
      labels: metadata.labels ?? {},
      finalizers: metadata.finalizers ?? [],
      ownerReferences: metadata.ownerReferences ?? [],
    });
    const kept: Metadata = {
      ...{ name, uid, resourceVersion, creationTimestamp },
      namespace: common?.namespace ?? metadata.namespace,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(common === undefined ? {} : { labels: common.labels }),
      ...(common === undefined ? {} : { finalizers: common.finalizers }),
      ...(common === undefined ? {} : { ownerReferences: common.ownerReferences }),
    };
    // A run is somebody's own; idle ones say all the same.
    const told = status?.currentRunID === '' ? shared(status) : status;
    return told === undefined ? { metadata: kept } : { metadata: kept, status: told };
  };
}
