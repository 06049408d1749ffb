// `npm run manifests -- --image REF [options]`: prints the objects that put the pool controller into a cluster, for
// `kubectl apply -f -` or a kustomization.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { dumpYaml } from '@kubernetes/client-node';
import { build } from 'esbuild';

const help = `npm run -s manifests -- --image IMAGE [options]

  --image IMAGE         Image of the controller and of init and launcher-grpc in run pods; see deploy/Dockerfile.
  --namespace NAME      Namespace of the controller. Default: spacelift-worker-controller-system.
  --name NAME           Begins the names of the objects. Default: spacelift-workerpool-controller.
  --pools NAMESPACE     Look after pools of this namespace only, with rights there only; may be given again.
  --replicas N          Controllers, of which one works. Default: 1.
  --metrics             Serve /metrics on port 8080, with a Service.
  --pod-disruption-budget, --network-policy   For the run pods of the namespaces in --pools.
  --crds-only           Only the two definitions.
  --json                A List in JSON instead of YAML documents.
`;

const { values } = parseArgs({
  options: {
    image: { type: 'string' },
    namespace: { type: 'string' },
    name: { type: 'string' },
    pools: { type: 'string', multiple: true, default: [] },
    replicas: { type: 'string' },
    metrics: { type: 'boolean', default: false },
    'pod-disruption-budget': { type: 'boolean', default: false },
    'network-policy': { type: 'boolean', default: false },
    'crds-only': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help || (values.image === undefined && !values['crds-only'])) {
  process.stderr.write(help);
  process.exit(values.help ? 0 : 2);
}
const perNamespace = values['pod-disruption-budget'] || values['network-policy'];
if (perNamespace && values.pools.length === 0) {
  process.stderr.write('Budgets and policies belong to a namespace: say which with --pools.\n');
  process.exit(2);
}

const bundle = await build({
  entryPoints: ['protocol/kubernetes/manifests.ts'],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
});
const source = Buffer.from(bundle.outputFiles[0]?.text ?? '').toString('base64');
const { controllerDefaults, controllerManifests, disruptionBudget, runNetworkPolicy } = await import(
  `data:text/javascript;base64,${source}`
);

const name = values.name ?? controllerDefaults.name;
/** @type {{ kind: string }[]} */
const all = [
  ...controllerManifests({
    ...controllerDefaults,
    name,
    namespace: values.namespace ?? controllerDefaults.namespace,
    image: values.image ?? '',
    replicas: Number(values.replicas ?? controllerDefaults.replicas),
    namespaces: values.pools,
    ...(values.metrics ? { metricsPort: 8080 } : {}),
  }),
  ...(values['pod-disruption-budget']
    ? values.pools.map((/** @type {string} */ where) => disruptionBudget(name, where))
    : []),
  ...(values['network-policy']
    ? values.pools.map((/** @type {string} */ where) => runNetworkPolicy(name, where, [443, 8883]))
    : []),
];
const wanted = values['crds-only'] ? all.filter(({ kind }) => kind === 'CustomResourceDefinition') : all;
process.stdout.write(
  values.json
    ? `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: wanted }, null, 2)}\n`
    : wanted.map((object) => dumpYaml(object, { lineWidth: -1 })).join('---\n'),
);
