// What protects run pods and the controller: a disruption budget, and policies for the network. Policies know ports and
// addresses, no names: what the guide to this kind of pool lists by name is HTTPS, and MQTT over TLS.
import { accountName, controllerLabels } from './deployment.js';
import { labels } from './names.js';

interface Selector {
  matchExpressions?: { key: string; operator: string }[];
  matchLabels?: Record<string, string>;
}

const runPods: Selector = { matchExpressions: [{ key: labels.workerPool, operator: 'Exists' }] };

/** TCP ports of what everyone needs: control plane, object store, registries and Git by HTTPS. */
export const httpsPort = 443;
/** MQTT over TLS, the line of idle workers; the controller's only. */
export const brokerPort = 8883;
/** Where API servers listen: policies see the port behind the Service. */
const apiServerPorts = [443, 6443];

/** Runs of a namespace are not ended for the sake of a node's maintenance. */
export function disruptionBudget<Text>(name: string, namespace: Text) {
  return {
    apiVersion: 'policy/v1' as const,
    kind: 'PodDisruptionBudget' as const,
    metadata: { name: `${name}-worker-pdb`, namespace },
    spec: {
      // All of them. Not '100%': the owners of these pods have no scale, and then only a number counts (Kubernetes,
      // "Specifying a Disruption Budget for your Application", arbitrary workloads).
      minAvailable: 2_147_483_647,
      selector: runPods,
    },
  };
}

/** Of the controllers, one at a time: a budget that never lets the only one go would hold up its node for ever. */
export function controllerBudget<Text>(name: string, namespace: Text) {
  return {
    apiVersion: 'policy/v1' as const,
    kind: 'PodDisruptionBudget' as const,
    metadata: { name: `${accountName(name)}-pdb`, namespace, labels: controllerLabels(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: controllerLabels(name) } },
  };
}

/** Run pods of a namespace: nothing comes in; names, and TCP to these ports, go out. */
export function runNetworkPolicy<Text>(name: string, namespace: Text, egressPorts: readonly number[]) {
  return networkPolicy(`${name}-runs`, namespace, runPods, [], egressPorts);
}

/** The controller: nothing comes in but whoever collects its figures. Its node may always probe it. */
export function controllerNetworkPolicy<Text>(
  name: string,
  namespace: Text,
  egressPorts: readonly number[],
  metricsPort?: number,
) {
  return networkPolicy(
    `${name}-controller`,
    namespace,
    { matchLabels: controllerLabels(name) },
    metricsPort === undefined ? [] : [metricsPort],
    [...apiServerPorts, ...egressPorts],
  );
}

function networkPolicy<Text>(
  name: string,
  namespace: Text,
  podSelector: Selector,
  ingressPorts: readonly number[],
  egressPorts: readonly number[],
) {
  const tcp = (numbers: readonly number[]) =>
    [...new Set(numbers)].sort((a, b) => a - b).map((port) => ({ protocol: 'TCP', port }));
  return {
    apiVersion: 'networking.k8s.io/v1' as const,
    kind: 'NetworkPolicy' as const,
    metadata: { name, namespace },
    spec: {
      podSelector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: ingressPorts.length === 0 ? [] : [{ ports: tcp(ingressPorts) }],
      egress: [
        {
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
        { ports: tcp(egressPorts) },
      ],
    },
  };
}
