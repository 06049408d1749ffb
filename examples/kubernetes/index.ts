// A worker pool on Kubernetes, in a namespace of its own, with the controller that looks after it. The cluster is that of
// the current kubeconfig; docs/kubernetes.md says how to build the image.
//   pulumi config set image registry.example/poolwright-launcher:1
//   pulumi config set --secret token "$(cat pool.token)"
//   pulumi config set --secret privateKey < pool.key
import { KubernetesWorkerPool } from '@poolwright/workerpools/kubernetes';
import { Config } from '@pulumi/pulumi';

const config = new Config();

const pool = new KubernetesWorkerPool('builds', {
  token: config.requireSecret('token'),
  privateKey: config.requireSecret('privateKey'),
  size: { min: 2, max: 10 },
  launcher: { image: config.require('image'), runTimeout: '1h30m' },
  networkPolicy: {},
  pod: {
    workerContainer: {
      resources: { requests: { cpu: '500m', memory: '512Mi' }, limits: { memory: '2Gi' } },
    },
  },
});

export const namespace = pool.namespace;
export const howToLook = pool.howToLook;
