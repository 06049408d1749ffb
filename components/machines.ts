// The one table of machine types: what each has, and which are the defaults. It feeds defaults and checks.
// Sources: the clouds' own pages of machine sizes (EC2 instance types, Azure VM sizes, Compute Engine machine families).
import type { Architecture } from './launcher-artifact.js';

export type Cloud = 'aws' | 'azure' | 'google';

export interface Machine {
  readonly vcpu: number;
  /** GB as the cloud counts them. */
  readonly memory: number;
  readonly architecture: Architecture;
}

export interface AzureMachine extends Machine {
  /** Generation 1 machines start from images without UEFI and have no trusted launch. */
  readonly generation: 1 | 2;
  /** Whether premium SSDs can be attached. */
  readonly premiumDisk: boolean;
}

/** Below this a run has no room beside the engine and the launcher. */
export const least = { vcpu: 2, memory: 2 } as const;

export const defaultMachine: Readonly<Record<Cloud, Readonly<Record<Architecture, string>>>> = {
  aws: { x86_64: 't3.small', arm64: 't4g.small' },
  azure: { x86_64: 'Standard_A2_v2', arm64: 'Standard_D2pls_v5' },
  google: { x86_64: 'e2-medium', arm64: 't2a-standard-2' },
};

/** Sizes of a family: name → vCPU and memory. */
type Sizes = Readonly<Record<string, readonly [vcpu: number, memory: number]>>;

const burstable: Sizes = {
  nano: [2, 0.5],
  micro: [2, 1],
  small: [2, 2],
  medium: [2, 4],
  large: [2, 8],
  xlarge: [4, 16],
  '2xlarge': [8, 32],
};
const compute: Sizes = {
  large: [2, 4],
  xlarge: [4, 8],
  '2xlarge': [8, 16],
  '4xlarge': [16, 32],
};
const general: Sizes = { large: [2, 8], xlarge: [4, 16], '2xlarge': [8, 32], '4xlarge': [16, 64] };
const memory: Sizes = { large: [2, 16], xlarge: [4, 32], '2xlarge': [8, 64], '4xlarge': [16, 128] };
/** The smallest Graviton sizes have one vCPU. */
const oneVcpu: (memory: number) => Sizes = (gigabytes) => ({ medium: [1, gigabytes] });

const aws: Readonly<Record<string, Machine>> = {
  ...family(['t3', 't3a'], burstable, 'x86_64'),
  ...family(['t4g'], burstable, 'arm64'),
  ...family(['m5', 'm5a', 'm6i', 'm6a', 'm7i', 'm7a', 'm7i-flex', 'm8i'], general, 'x86_64'),
  ...family(['m6g', 'm7g', 'm8g'], { ...general, ...oneVcpu(4) }, 'arm64'),
  ...family(['c5', 'c5a', 'c6i', 'c6a', 'c7i', 'c7a', 'c7i-flex', 'c8i'], compute, 'x86_64'),
  ...family(['c6g', 'c7g', 'c8g'], { ...compute, ...oneVcpu(2) }, 'arm64'),
  ...family(['r5', 'r5a', 'r6i', 'r6a', 'r7i'], memory, 'x86_64'),
  ...family(['r6g', 'r7g', 'r8g'], { ...memory, ...oneVcpu(8) }, 'arm64'),
};

const azure: Readonly<Record<string, AzureMachine>> = {
  ...azureSeries((n) => `Standard_A${n}_v2`, [1, 2, 4, 8], 2, { generation: 1, premiumDisk: false }),
  ...azureSeries((n) => `Standard_A${n}m_v2`, [2, 4, 8], 8, { generation: 1, premiumDisk: false }),
  Standard_B1s: { vcpu: 1, memory: 1, architecture: 'x86_64', generation: 2, premiumDisk: true },
  Standard_B1ms: { vcpu: 1, memory: 2, architecture: 'x86_64', generation: 2, premiumDisk: true },
  Standard_B2s: { vcpu: 2, memory: 4, architecture: 'x86_64', generation: 2, premiumDisk: true },
  Standard_B2ms: { vcpu: 2, memory: 8, architecture: 'x86_64', generation: 2, premiumDisk: true },
  ...azureSeries((n) => `Standard_D${n}s_v5`, [2, 4, 8, 16], 4),
  ...azureSeries((n) => `Standard_D${n}as_v5`, [2, 4, 8, 16], 4),
  ...azureSeries((n) => `Standard_D${n}s_v6`, [2, 4, 8, 16], 4),
  ...azureSeries((n) => `Standard_F${n}s_v2`, [2, 4, 8, 16], 2),
  ...azureSeries((n) => `Standard_D${n}pls_v5`, [2, 4, 8, 16], 2, { architecture: 'arm64' }),
  ...azureSeries((n) => `Standard_D${n}ps_v5`, [2, 4, 8, 16], 4, { architecture: 'arm64' }),
  ...azureSeries((n) => `Standard_D${n}pls_v6`, [2, 4, 8, 16], 2, { architecture: 'arm64' }),
  ...azureSeries((n) => `Standard_D${n}ps_v6`, [2, 4, 8, 16], 4, { architecture: 'arm64' }),
};

const google: Readonly<Record<string, Machine>> = {
  'e2-micro': { vcpu: 2, memory: 1, architecture: 'x86_64' },
  'e2-small': { vcpu: 2, memory: 2, architecture: 'x86_64' },
  'e2-medium': { vcpu: 2, memory: 4, architecture: 'x86_64' },
  'n1-standard-1': { vcpu: 1, memory: 3.75, architecture: 'x86_64' },
  't2a-standard-1': { vcpu: 1, memory: 4, architecture: 'arm64' },
  'c4a-standard-1': { vcpu: 1, memory: 4, architecture: 'arm64' },
  ...googleSeries(['e2', 'n2', 'n2d', 'c3', 'n4', 'c4'], 'standard', 4, 'x86_64'),
  ...googleSeries(['e2', 'n2', 'n2d', 'c4'], 'highmem', 8, 'x86_64'),
  ...googleSeries(['e2', 'n2', 'n2d'], 'highcpu', 1, 'x86_64'),
  ...googleSeries(['t2a', 'c4a'], 'standard', 4, 'arm64'),
};

const tables: Readonly<Record<Cloud, Readonly<Record<string, Machine>>>> = { aws, azure, google };

/** What is known of a type; undefined when it is not in the table. */
export function machineOf(cloud: Cloud, type: string): Machine | undefined {
  return Object.hasOwn(tables[cloud], type) ? tables[cloud][type] : undefined;
}

/** What an Azure type allows. Types that are not in the table count as of generation 2, with standard disks. */
export function azureMachineOf(type: string): Pick<AzureMachine, 'generation' | 'premiumDisk'> {
  return Object.hasOwn(azure, type) && azure[type] !== undefined
    ? azure[type]
    : { generation: 2, premiumDisk: false };
}

/** The types of a cloud, for messages and docs. */
export function knownTypes(cloud: Cloud): readonly string[] {
  return Object.keys(tables[cloud]);
}

function family(names: readonly string[], sizes: Sizes, architecture: Architecture): Record<string, Machine> {
  return Object.fromEntries(
    names.flatMap((name) =>
      Object.entries(sizes).map(([size, [vcpu, gigabytes]]) => [
        `${name}.${size}`,
        { vcpu, memory: gigabytes, architecture },
      ]),
    ),
  );
}

function azureSeries(
  name: (vcpu: string) => string,
  counts: readonly number[],
  perVcpu: number,
  rest: Partial<AzureMachine> = {},
): Record<string, AzureMachine> {
  return Object.fromEntries(
    counts.map((vcpu) => [
      name(String(vcpu)),
      { vcpu, memory: vcpu * perVcpu, architecture: 'x86_64', generation: 2, premiumDisk: true, ...rest },
    ]),
  );
}

function googleSeries(
  series: readonly string[],
  kind: string,
  perVcpu: number,
  architecture: Architecture,
): Record<string, Machine> {
  return Object.fromEntries(
    series.flatMap((name) =>
      [2, 4, 8, 16].map((vcpu) => [
        `${name}-${kind}-${String(vcpu)}`,
        { vcpu, memory: vcpu * perVcpu, architecture },
      ]),
    ),
  );
}
