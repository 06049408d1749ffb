// What is kept in memory of a Worker: thousands of them are alike, so what they have in common is kept once.
import type { Metadata, Worker } from './objects.js';

/** Different values that are remembered; beyond, new ones are kept as they come. */
const most = 10_000;

/** The fields that the controller reads, sharing equal ones. */
export function keptOfWorkers(): (worker: Worker) => Worker {
  const known = new Map<string, object>();

  function shared<Value extends object>(value: Value): Value {
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
    const { namespace, labels, finalizers, ownerReferences } = common;
    // Written out: an object that is put together by spreading has a shape of its own in memory, larger than itself.
    const kept: Metadata = {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      namespace,
      labels,
      finalizers,
      ownerReferences,
    };
    const left = deletionTimestamp === undefined ? kept : { ...kept, deletionTimestamp };
    if (status === undefined) return { metadata: left };
    // A run is somebody's own; idle ones say all the same.
    return { metadata: left, status: status.currentRunID === '' ? shared(status) : status };
  };
}
