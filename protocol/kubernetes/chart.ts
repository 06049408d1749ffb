// The Helm chart of the pool controller: the manifests of manifests.ts with values in their places, under the names that
// users of charts for this kind of pool know.
import { definitions } from './definitions.js';
import { controllerDefaults, type ControllerSettings } from './deployment.js';
import { clusterRoles, roles, serviceAccount } from './manifests.js';
import { helpers, valuesText } from './chart-values.js';
import { at, createSlots, type Dump } from './slots.js';
import { metricsTemplates } from './chart-metrics.js';
import { protectionTemplates } from './chart-protection.js';
import { deploymentOf } from './chart-deployment.js';

export interface ChartFile {
  readonly path: string;
  readonly text: string;
}

const chartName = controllerDefaults.name;

/** `repository` and `tag` of the image are the defaults of its values. */
export function chart(
  dump: Dump,
  options: { readonly version: string; readonly repository: string; readonly tag: string },
): readonly ChartFile[] {
  const slots = createSlots(dump);
  const { inline, optional, entries, render } = slots;
  const doc = (object: object) => `---\n${render(object)}`;
  const settings: ControllerSettings = {
    name: inline(`include "controller.fullname" $`),
    namespace: inline('$.Release.Namespace'),
    image: inline(
      `printf "%s:%s" ${at('controllerManager.manager.image.repository')} (toString ${at('controllerManager.manager.image.tag')}) | quote`,
    ),
    replicas: 1,
    ownNamespace: false,
    namespaces: [],
  };
  const account = inline('include "controller.account" $');
  const withAccount = <Given extends { subjects?: { kind: string; name: string; namespace: string }[] }>(
    given: Given,
  ) =>
    given.subjects === undefined
      ? given
      : { ...given, subjects: given.subjects.map((subject) => ({ ...subject, name: account })) };

  const own = serviceAccount(settings);
  const everywhere = clusterRoles(settings);
  // Its own namespace stands for each of those that are named: there, `.` is the namespace.
  const namespaced = roles({ ...settings, namespaces: [inline('.')] });
  const leading = namespaced.slice(0, 1);
  const inEach = namespaced.slice(1);
  const each = (text: string) =>
    `{{- range ${at('controllerManager.namespaces')} | default (list $.Release.Namespace) }}\n${text}{{- end }}\n`;
  const when = (condition: string, ...texts: string[]) =>
    `{{- if ${condition} }}\n${texts.join('')}{{- end }}\n`;

  return [
    {
      path: 'Chart.yaml',
      text: dump({
        apiVersion: 'v2',
        name: chartName,
        description: 'The controller of worker pools on Kubernetes, and their custom resources',
        type: 'application',
        version: options.version,
        appVersion: options.tag,
        kubeVersion: '>=1.26.0-0',
      }),
    },
    { path: 'values.yaml', text: valuesText(options) },
    { path: 'templates/_helpers.tpl', text: helpers },
    {
      path: 'templates/definitions.yaml',
      text: when(
        at('crds.install'),
        ...definitions().map((definition) =>
          doc({
            ...definition,
            metadata: {
              ...definition.metadata,
              annotations: {
                // With them, the API server would remove all pools.
                'helm.sh/resource-policy': 'keep',
                ...entries(at('crds.annotations')),
              },
            },
          }),
        ),
      ),
    },
    {
      path: 'templates/account.yaml',
      text: when(
        at('controllerManager.serviceAccount.create'),
        doc({
          ...own,
          metadata: {
            ...own.metadata,
            name: account,
            labels: {
              ...own.metadata.labels,
              ...entries(at('controllerManager.serviceAccount.labels')),
            },
            annotations: optional(at('controllerManager.serviceAccount.annotations')),
          },
        }),
      ),
    },
    {
      path: 'templates/rights.yaml',
      text: [
        ...leading.flatMap(({ role, binding }) => [doc(role), doc(withAccount(binding))]),
        `{{- if ${at('controllerManager.namespaces')} }}\n`,
        `{{- range ${at('controllerManager.namespaces')} }}\n`,
        ...inEach.flatMap(({ role, binding }) => [doc(role), doc(withAccount(binding))]),
        '{{- end }}\n{{- else }}\n',
        ...everywhere.flatMap((object) => [doc(withAccount(object))]),
        '{{- end }}\n',
      ].join(''),
    },
    { path: 'templates/controller.yaml', text: doc(deploymentOf(slots, settings, account)) },
    {
      path: 'templates/metrics.yaml',
      text: metricsTemplates(slots, settings, account)
        .map((part) => when(part.when, ...part.objects.map(doc)))
        .join(''),
    },
    {
      path: 'templates/protection.yaml',
      text: protectionTemplates(slots, dump, settings)
        .map(({ when: condition, own: objects = [], inEach: repeated = [] }) =>
          when(condition, ...objects.map(doc), ...repeated.map((object) => each(doc(object)))),
        )
        .join(''),
    },
  ];
}
