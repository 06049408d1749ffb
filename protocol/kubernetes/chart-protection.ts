// The chart's templates of what protects run pods and the controller: budgets for disruptions and policies for the network.
import { ports, type ControllerSettings } from './deployment.js';
import {
  brokerPort,
  controllerBudget,
  controllerNetworkPolicy,
  disruptionBudget,
  httpsPort,
  runNetworkPolicy,
} from './protection.js';
import { at, type Dump, type Slots } from './slots.js';

export interface ProtectionTemplate {
  /** Under which condition the objects are made. */
  readonly when: string;
  /** In the release's namespace. */
  readonly own?: readonly object[];
  /** In each namespace of pools, which is `.` there. */
  readonly inEach?: readonly object[];
}

export function protectionTemplates(
  { inline, lines }: Slots,
  dump: Dump,
  settings: ControllerSettings,
): readonly ProtectionTemplate[] {
  const { name, namespace } = settings;
  const runs = disruptionBudget(name, inline('.'));
  const controller = controllerBudget(name, namespace);
  const policy = controllerNetworkPolicy(name, namespace, [httpsPort, brokerPort], ports.metrics);
  /** What a budget demands: the one of two values that is given, or else the one that has a default. */
  const demand = (value: string, given: string, otherwise: string) =>
    lines(`{{- if ${isGiven(at(`${value}.${given}`))} }}
${given}: {{ ${whole(at(`${value}.${given}`))} }}
{{- else }}
${otherwise}: {{ ${whole(at(`${value}.${otherwise}`))} }}
{{- end }}`);
  /** With the TCP ports of a value among those that let out. */
  const withPorts = (given: ReturnType<typeof runNetworkPolicy>, list: string) => {
    const [names, tcp] = given.spec.egress;
    const more = lines(`{{- range ${at(list)} }}\n- protocol: TCP\n  port: {{ . }}\n{{- end }}`);
    return {
      ...given,
      spec: { ...given.spec, egress: [names, { ports: [...(tcp?.ports ?? []), more] }] },
    };
  };
  const limited = withPorts(policy, 'networkPolicy.controllerPorts');
  return [
    {
      when: at('pdb.enabled'),
      inEach: [
        {
          ...runs,
          spec: { selector: runs.spec.selector, ...demand('pdb', 'maxUnavailable', 'minAvailable') },
        },
      ],
    },
    {
      when: at('controllerManager.pdb.enabled'),
      own: [
        {
          ...controller,
          spec: {
            selector: controller.spec.selector,
            ...demand('controllerManager.pdb', 'minAvailable', 'maxUnavailable'),
          },
        },
      ],
    },
    {
      when: at('networkPolicy.enabled'),
      own: [
        {
          ...limited,
          spec: {
            ...limited.spec,
            // Nobody listens on that port unless figures are served.
            ingress: lines(`{{- if ${at('metricsService.enabled')} }}
${dump(policy.spec.ingress).trimEnd()}
{{- else }}
[]
{{- end }}`),
          },
        },
      ],
      inEach: [withPorts(runNetworkPolicy(name, inline('.'), [httpsPort]), 'networkPolicy.ports')],
    },
  ];
}

/** Not so when it is absent; a zero is given. */
const isGiven = (value: string) => `not (has (toString ${value}) (list "" "<nil>"))`;

/** Helm reads numbers as floating-point ones, and would write large ones as such. */
const whole = (value: string) => `kindIs "string" ${value} | ternary ${value} (int64 ${value})`;
