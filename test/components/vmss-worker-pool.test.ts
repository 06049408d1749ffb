import { createPublicKey } from 'node:crypto';
import type * as pulumi from '@pulumi/pulumi';
import { beforeAll, describe, expect, it } from 'vitest';
import type { VmssWorkerPoolArgs } from '../../components/azure/arguments.js';
import { keyOfNobody } from '../../components/azure/machines.js';
import { VmssWorkerPool } from '../../components/vmss-worker-pool.js';
import { azure } from './support/azure.js';
import { deploy, unknownOutput, valueOf, type Deployment } from './support/deployment.js';
import { poolCredentials } from './support/pool-credentials.js';

let credentials: { token: string; privateKey: string };
beforeAll(async () => {
  credentials = await poolCredentials();
});

const least = (): VmssWorkerPoolArgs => ({ ...credentials, resourceGroupName: 'group' });
const make = (args: VmssWorkerPoolArgs, preview = false) =>
  deploy(() => new VmssWorkerPool('builds', args), azure, preview);

interface Profile {
  osProfile: { customData: string; linuxConfiguration: { ssh: { publicKeys: { keyData: string }[] } } };
  storageProfile: {
    imageReference: Record<string, string>;
    osDisk: { managedDisk: { storageAccountType: string } };
  };
  networkProfile: { networkInterfaceConfigurations: { ipConfigurations: Record<string, unknown>[] }[] };
  securityProfile?: Record<string, unknown>;
}
const profileOf = (deployment: Deployment) =>
  deployment.one('VirtualMachineScaleSet').inputs['virtualMachineProfile'] as Profile;
const scriptOf = (deployment: Deployment) =>
  Buffer.from(profileOf(deployment).osProfile.customData, 'base64').toString();

describe('a pool on Azure', () => {
  it('is made of these resources, all children of the component', async () => {
    const { resources } = await make(least());
    expect(resources.map(({ type, name }) => `${type} ${name}`)).toMatchInlineSnapshot(`
      [
        "workerpools:index:VmssWorkerPool builds",
        "azure-native:authorization:RoleAssignment builds-credentials",
        "azure-native:authorization:RoleAssignment builds-launcher",
        "azure-native:authorization:RoleAssignment builds-life",
        "azure-native:authorization:RoleDefinition builds-life",
        "azure-native:compute:VirtualMachineScaleSet builds-workers",
        "azure-native:keyvault:Secret builds-credentials",
        "azure-native:keyvault:Vault builds-credentials",
        "azure-native:managedidentity:UserAssignedIdentity builds-workers",
        "azure-native:network:NatGateway builds-workers",
        "azure-native:network:NetworkSecurityGroup builds-workers",
        "azure-native:network:PublicIPAddress builds-workers",
        "azure-native:network:Subnet builds-workers",
        "azure-native:network:VirtualNetwork builds-workers",
        "azure-native:storage:Blob builds-launcher",
        "azure-native:storage:BlobContainer builds-launcher",
        "azure-native:storage:StorageAccount builds-launcher",
      ]
    `);
    expect(resources.slice(1).every(({ parent }) => parent === 'builds')).toBe(true);
  });

  it('has the image, disk and security that the machine type allows', async () => {
    const first = profileOf(await make(least()));
    expect(first.storageProfile.imageReference).toMatchObject({ publisher: 'Debian', sku: '12' });
    expect(first.storageProfile.osDisk.managedDisk.storageAccountType).toBe('StandardSSD_LRS');
    expect(first.securityProfile).toBeUndefined();
    const second = profileOf(await make({ ...least(), machineType: 'Standard_D2s_v5' }));
    expect(second.storageProfile.imageReference).toMatchObject({ sku: '12-gen2' });
    expect(second.storageProfile.osDisk.managedDisk.storageAccountType).toBe('Premium_LRS');
    expect(second.securityProfile).toMatchObject({ securityType: 'TrustedLaunch' });
    const arm = await make({ ...least(), architecture: 'arm64' });
    expect(profileOf(arm).storageProfile.imageReference).toMatchObject({ sku: '12-arm64' });
    expect(arm.one('VirtualMachineScaleSet').inputs['sku']).toMatchObject({ name: 'Standard_D2pls_v5' });
  });

  it('lets nothing in and has no public address', async () => {
    const deployment = await make(least());
    expect(deployment.one('NetworkSecurityGroup').inputs['securityRules']).toMatchObject([
      { direction: 'Inbound', access: 'Deny', protocol: '*', sourceAddressPrefix: '*' },
    ]);
    const [nic] = profileOf(deployment).networkProfile.networkInterfaceConfigurations;
    expect(nic?.ipConfigurations[0]).not.toHaveProperty('publicIPAddressConfiguration');
    expect(deployment.one('StorageAccount').inputs).toMatchObject({ allowBlobPublicAccess: false });
  });

  it('has a vault of another name in each of its lives, since a deleted one keeps its name for days', async () => {
    const vaultOf = async (principalId: string) => {
      const { answers, states } = azure;
      const clouds = {
        answers,
        states: (...[type, name, inputs]: Parameters<typeof states>) => ({
          ...states(type, name, inputs),
          ...(type.endsWith(':UserAssignedIdentity') ? { principalId } : {}),
        }),
      };
      const deployment = await deploy(() => new VmssWorkerPool('builds', least()), clouds);
      return deployment.one('Vault').inputs['vaultName'];
    };
    const first = await vaultOf('first');
    expect(first).toMatch(/^[a-z][a-z0-9]{2,23}$/);
    expect(await vaultOf('first')).toBe(first);
    expect(await vaultOf('second')).not.toBe(first);
  });

  it('lets its identity read one secret and one container, and nothing else', async () => {
    const { resources } = await make(least());
    const grants = resources.filter(({ type }) => type.endsWith(':RoleAssignment'));
    expect(grants.map(({ inputs }) => inputs['scope'])).toEqual([
      '/subscriptions/s/resourceGroups/g/keyvault/builds-credentials/secrets/credentials',
      '/subscriptions/s/resourceGroups/g/storage/builds-launcher',
      expect.stringMatching(/builds-workers/),
    ]);
  });

  it('lets its identity protect instances of its own scale set, by a role that can no more', async () => {
    const deployment = await make(least());
    const set = deployment.resources.find(({ type }) => type.endsWith(':VirtualMachineScaleSet'))!;
    const role = deployment.one('RoleDefinition');
    expect(role.inputs).toMatchObject({
      scope: expect.stringMatching(/^\/subscriptions\/[^/]+\/resourceGroups\/group$/) as string,
      roleDefinitionId: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/,
      ) as string,
      permissions: [
        {
          actions: [
            'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read',
            'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write',
          ],
        },
      ],
    });
    const assignment = deployment.resources.find(
      ({ type, name }) => type.endsWith(':RoleAssignment') && name === 'builds-life',
    )!;
    expect(assignment.dependencies).toContain(set.name);
    const without = await make({ ...least(), azure: { scaleInProtection: false } });
    expect(without.resources.map(({ name }) => name)).not.toContain('builds-life');
    expect(scriptOf(without)).toContain("export POOLWRIGHT_SCALE_IN_PROTECTION='false'");
  });

  it('asks the launcher itself for its health, replaces machines by it, and upgrades new ones first', async () => {
    const { inputs } = (await make(least())).one('VirtualMachineScaleSet');
    expect(inputs['upgradePolicy']).toEqual({
      mode: 'Rolling',
      rollingUpgradePolicy: {
        maxSurge: true,
        maxBatchInstancePercent: 20,
        maxUnhealthyInstancePercent: 100,
        maxUnhealthyUpgradedInstancePercent: 20,
        pauseTimeBetweenBatches: 'PT0S',
      },
    });
    expect(inputs['automaticRepairsPolicy']).toEqual({
      enabled: true,
      gracePeriod: 'PT10M',
      repairAction: 'Replace',
    });
    const profile = inputs['virtualMachineProfile'] as Record<string, unknown>;
    expect(profile['extensionProfile']).toMatchObject({
      extensions: [
        {
          type: 'ApplicationHealthLinux',
          typeHandlerVersion: '2.0',
          settings: { protocol: 'http', port: 8372, requestPath: '/health' },
        },
      ],
    });
    expect(profile['scheduledEventsProfile']).toEqual({
      terminateNotificationProfile: { enable: true, notBeforeTimeout: 'PT15M' },
    });
    const script = scriptOf(await make(least()));
    expect(script).toContain("export POOLWRIGHT_HEALTH_PORT='8372'");
    expect(script).toContain("REPLACED_BY_HEALTH='true'");
    expect(script).toContain("export POOLWRIGHT_AZURE_CLIENT_ID='client'");
  });

  it('follows what its user wants of upgrades, and leaves machines alone that are looked at', async () => {
    const deployment = await make({
      ...least(),
      spot: true,
      powerOffOnExit: false,
      azure: { upgradePolicy: { mode: 'Manual' } },
    });
    const { inputs } = deployment.one('VirtualMachineScaleSet');
    expect(inputs['upgradePolicy']).toEqual({ mode: 'Manual' });
    expect(inputs['automaticRepairsPolicy']).toMatchObject({ enabled: false });
    expect(profileOf(deployment)).not.toHaveProperty('scheduledEventsProfile');
    expect(scriptOf(deployment)).toContain("REPLACED_BY_HEALTH='false'");
    const batch = await make({ ...least(), azure: { upgradePolicy: { maxBatchPercent: 50 } } });
    expect(batch.one('VirtualMachineScaleSet').inputs['upgradePolicy']).toMatchObject({
      rollingUpgradePolicy: { maxBatchInstancePercent: 50 },
    });
  });

  it('decides nothing by the health of launchers that do not tell it', async () => {
    const hosted = await make({ ...least(), launcher: { distribution: 'hosted' } });
    const { inputs } = hosted.one('VirtualMachineScaleSet');
    expect(inputs['upgradePolicy']).toEqual({ mode: 'Manual' });
    expect(inputs).not.toHaveProperty('automaticRepairsPolicy');
    expect(profileOf(hosted)).not.toHaveProperty('extensionProfile');
    expect(hosted.resources.map(({ name }) => name)).not.toContain('builds-life');
  });

  it('keeps token and key as secrets, out of custom data and of everything else', async () => {
    const deployment = await make(least());
    expect(JSON.stringify(deployment.one('Secret').inputs)).toContain('[secret] {\\"SPACELIFT_TOKEN');
    const rest = deployment.resources.filter(({ type }) => type !== 'azure-native:keyvault:Secret');
    const piece = credentials.token.slice(100, 160);
    expect(JSON.stringify(rest)).not.toContain(piece);
    expect(scriptOf(deployment)).not.toContain(piece);
    expect(scriptOf(deployment)).toContain("IDENTITY_CLIENT_ID='client'");
  });

  it('has an administrator that nobody can be, and keeps it', async () => {
    const deployment = await make(least());
    expect(deployment.one('VirtualMachineScaleSet').ignoreChanges).toEqual([
      'sku.capacity',
      'virtualMachineProfile.storageProfile.imageReference.version',
      'virtualMachineProfile.osProfile.linuxConfiguration.ssh',
    ]);
    const blob = Buffer.from(keyOfNobody().split(' ')[1] ?? '', 'base64');
    const x = blob.subarray(blob.length - 32).toString('base64url');
    expect(createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } }).asymmetricKeyType).toBe(
      'ed25519',
    );
    expect(keyOfNobody()).not.toBe(keyOfNobody());
  });

  it('has outputs that are no secrets', async () => {
    let pool: VmssWorkerPool | undefined;
    await deploy(() => (pool = new VmssWorkerPool('builds', least())), azure);
    expect(await valueOf(pool!.credentialsUri)).toEqual({
      value: 'https://v.vault.azure.net/secrets/credentials',
      secret: false,
    });
    expect(await valueOf(pool!.howToLook)).toMatchObject({ secret: false });
  });

  it.each([
    [undefined, 'https://portal.azure.com/#resource/'],
    ['USGov Virginia', 'https://portal.azure.us/#resource/'],
    ['usdodcentral', 'https://portal.azure.us/#resource/'],
    ['chinanorth3', 'https://portal.azure.cn/#resource/'],
  ])("is looked at in the portal of its region's cloud: %s", async (location, portal) => {
    let pool: VmssWorkerPool | undefined;
    const place = location === undefined ? {} : { location };
    await deploy(() => (pool = new VmssWorkerPool('builds', { ...least(), ...place })), azure);
    expect((await valueOf(pool!.howToLook)).value).toContain(portal);
  });

  it('is previewed when token and key are not known yet', async () => {
    const { resources } = await make(
      { ...least(), token: unknownOutput<string>(), privateKey: unknownOutput<string>() },
      true,
    );
    expect(resources.length).toBeGreaterThan(10);
  });

  it('refuses disks and sizes that the type cannot have', async () => {
    let error: unknown;
    await deploy(() => {
      try {
        new VmssWorkerPool('builds', {
          ...least(),
          machineType: 'Standard_A1_v2',
          azure: {
            diskType: 'Premium_LRS',
            upgradePolicy: { mode: 'Automatic', maxBatchPercent: 0 },
          },
        });
      } catch (caught) {
        error = caught;
      }
    }, azure);
    expect((error as pulumi.InputPropertiesError).errors.map(({ propertyPath }) => propertyPath)).toEqual([
      'machineType',
      'azure.diskType',
      'azure.upgradePolicy.mode',
      'azure.upgradePolicy.maxBatchPercent',
    ]);
  });

  it('takes an unknown machine type with a warning', async () => {
    const { warnings } = await make({ ...least(), machineType: 'Standard_Future_v9' });
    expect(warnings).toEqual([
      expect.stringContaining('"Standard_Future_v9" is not in the table of known types'),
    ]);
  });
});
