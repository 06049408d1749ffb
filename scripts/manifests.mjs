// `npm run manifests -- [helm|kustomize] --image REF [options]`: prints the objects that put the pool controller into a
// cluster, for `kubectl apply -f -`, or writes them to a folder as a Helm chart or as the base of a kustomization.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { dump } from 'js-yaml';

const help = `npm run -s manifests -- --image IMAGE [options]                         prints YAML
npm run -s manifests -- kustomize --out FOLDER --image IMAGE [options]    the same as the base of a kustomization
npm run -s manifests -- helm --out FOLDER --image IMAGE                   a chart, whose values are the options

  --image IMAGE         Image of the controller and of init and launcher-grpc in run pods; see deploy/Dockerfile.
  --namespace NAME      Namespace of the controller. Default: spacelift-worker-controller-system.
  --name NAME           Begins the names of the objects. Default: spacelift-workerpool-controller.
  --pools NAMESPACE     Look after pools of this namespace only, with rights there only; may be given again.
  --replicas N          Controllers, of which one works. Default: 1.
  --metrics             Serve /metrics on port 8443, with a Service: by HTTPS, for whoever is bound to the ClusterRole
                        NAME-metrics-reader.
  --metrics-secure=false    With --metrics: by plain HTTP, for everyone, without ClusterRoles.
  --service-monitor     With --metrics: a ServiceMonitor for the Prometheus operator.
  --network-policy      Of the controller, and of the run pods of the namespaces in --pools.
  --pod-disruption-budget   For the run pods of the namespaces in --pools.
  --crds-only           Only the two definitions.
  --json                A List in JSON instead of YAML documents.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    image: { type: 'string' },
    namespace: { type: 'string' },
    name: { type: 'string' },
    pools: { type: 'string', multiple: true, default: [] },
    replicas: { type: 'string' },
    metrics: { type: 'boolean', default: false },
    'metrics-secure': { type: 'string', default: 'true' },
    'service-monitor': { type: 'boolean', default: false },
    'pod-disruption-budget': { type: 'boolean', default: false },
    'network-policy': { type: 'boolean', default: false },
    'crds-only': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [form = 'print', ...others] = positionals;
const known = ['print', 'helm', 'kustomize'].includes(form) && others.length === 0;
const place = form === 'print' || values.out !== undefined;
if (values.help || !known || !place || (values.image === undefined && !values['crds-only'])) {
  process.stderr.write(help);
  process.exit(values.help ? 0 : 2);
}
const perNamespace = values['pod-disruption-budget'] || values['network-policy'];
if (perNamespace && values.pools.length === 0) {
  process.stderr.write('Budgets and policies belong to a namespace: say which with --pools.\n');
  process.exit(2);
}

if (values['service-monitor'] && !values.metrics) {
  process.stderr.write('A ServiceMonitor finds the Service of --metrics: give that, too.\n');
  process.exit(2);
}
if (!['true', 'false'].includes(values['metrics-secure'])) {
  process.stderr.write(`Expected --metrics-secure=true or false, got ${values['metrics-secure']}.\n`);
  process.exit(2);
}

const bundle = await build({
  stdin: {
    contents: ['chart', 'deployment', 'manifests', 'monitoring', 'protection']
      .map((file) => `export * from './protocol/kubernetes/${file}.ts';`)
      .join('\n'),
    resolveDir: fileURLToPath(new URL('..', import.meta.url)),
  },
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
});
const source = Buffer.from(bundle.outputFiles[0]?.text ?? '').toString('base64');
const kubernetes = await import(`data:text/javascript;base64,${source}`);
if (form === 'helm') {
  const [, repository = '', tag = 'latest'] = /^(.+?)(?::([^/:]+))?$/.exec(values.image ?? '') ?? [];
  const { version } = JSON.parse(
    await readFile(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8'),
  );
  await write(kubernetes.chart(yaml, { version, repository, tag }));
  process.exit(0);
}
const { controllerDefaults, disruptionBudget, httpsPort, brokerPort, ports } = kubernetes;

const name = values.name ?? controllerDefaults.name;
const namespace = values.namespace ?? controllerDefaults.namespace;
const metrics = values.metrics ? { secure: values['metrics-secure'] === 'true' } : undefined;
const metricsPort = metrics && ports.metrics;
/** @type {{ kind: string }[]} */
const all = [
  ...kubernetes.controllerManifests({
    name,
    namespace,
    image: values.image ?? '',
    replicas: Number(values.replicas ?? controllerDefaults.replicas),
    ownNamespace: false,
    namespaces: values.pools,
    metrics,
  }),
  ...(values['service-monitor']
    ? [kubernetes.serviceMonitor({ name, namespace }, metrics, { interval: '30s', labels: {} })]
    : []),
  ...(values['pod-disruption-budget']
    ? values.pools.map((/** @type {string} */ where) => disruptionBudget(name, where))
    : []),
  ...(values['network-policy']
    ? [
        kubernetes.controllerNetworkPolicy(name, namespace, [httpsPort, brokerPort], metricsPort),
        ...values.pools.map((/** @type {string} */ where) =>
          kubernetes.runNetworkPolicy(name, where, [httpsPort]),
        ),
      ]
    : []),
];
const wanted = values['crds-only'] ? all.filter(({ kind }) => kind === 'CustomResourceDefinition') : all;
if (form === 'kustomize') {
  const isDefinition = (/** @type {{ kind: string }} */ { kind }) => kind === 'CustomResourceDefinition';
  const files = [
    { path: 'definitions.yaml', text: documents(wanted.filter(isDefinition)) },
    { path: 'controller.yaml', text: documents(wanted.filter((object) => !isDefinition(object))) },
  ].filter(({ text }) => text !== '');
  const base = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: files.map(({ path }) => path),
  };
  await write([...files, { path: 'kustomization.yaml', text: yaml(base) }]);
} else {
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: wanted }, null, 2)}\n`
      : documents(wanted),
  );
}

/** @param {object} object */
function yaml(object) {
  // Lines are not folded, and objects that occur twice are written twice.
  return dump(object, { lineWidth: -1, noRefs: true });
}

/** @param {object[]} objects */
function documents(objects) {
  return objects.map(yaml).join('---\n');
}

/** @param {{ path: string, text: string }[]} files */
async function write(files) {
  for (const { path, text } of files) {
    const file = join(values.out ?? '', path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    process.stderr.write(`${file}\n`);
  }
}
