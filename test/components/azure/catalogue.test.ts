import { afterEach, describe, expect, it, vi } from 'vitest';
import { machineTypes, newestVersion, type Access } from '../../../components/azure/catalogue.js';
import type { VmssWorkerPoolArgs } from '../../../components/azure/arguments.js';
import { VmssWorkerPool } from '../../../components/vmss-worker-pool.js';
import { azure } from '../support/azure.js';
import { deploy } from '../support/deployment.js';

const debian = { publisher: 'Debian', offer: 'debian-12', sku: '12' };
const of = (answers: Record<string, unknown>, asked: string[] = []): Access => ({
  base: 'https://management.azure.com/subscriptions/s',
  bearer: 'bearer-secret',
  fetch: (url, init) => {
    const address = decodeURIComponent(url instanceof Request ? url.url : url.toString());
    asked.push(`${new Headers(init?.headers).get('authorization') ?? ''} ${address}`);
    const found = Object.entries(answers).find(([part]) => address.includes(part));
    return Promise.resolve(
      found === undefined ? new Response('{}', { status: 403 }) : Response.json(found[1] as object),
    );
  },
});

afterEach(() => vi.unstubAllGlobals());

describe('the newest version of an image', () => {
  it('is the newest by number, not by its text', async () => {
    const asked: string[] = [];
    const names = ['0.20240717.1811', '0.20251001.99', '0.20251001.1803', '0.9.1'].map((name) => ({ name }));
    const access = of({ '/versions': names }, asked);
    expect(await newestVersion(access, 'westeurope', debian)).toBe('0.20251001.1803');
    expect(asked).toEqual([
      'Bearer bearer-secret https://management.azure.com/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/publishers/Debian/artifacttypes/vmimage/offers/debian-12/skus/12/versions?api-version=2024-07-01',
    ]);
  });

  it.each([
    ['Azure Resource Manager answered 403', {}],
    ['no version at all', { '/versions': [] }],
    ['Invalid', { '/versions': [{ name: '../latest' }] }],
  ])('fails with what was answered: %s', async (said, answers) => {
    await expect(newestVersion(of(answers), 'westeurope', debian)).rejects.toThrow(said);
  });
});

describe('machine types of a region', () => {
  const sku = (name: string, more: object = {}) => ({ resourceType: 'virtualMachines', name, ...more });

  it('are those of all pages that the subscription may have somewhere in it', async () => {
    const next = 'https://management.azure.com/subscriptions/s/page-2';
    const access = of({
      "location eq 'westeurope'": {
        value: [
          sku('A'),
          { resourceType: 'disks', name: 'Premium_LRS' },
          sku('B', { restrictions: [{ type: 'Location' }] }),
        ],
        nextLink: next,
      },
      'page-2': { value: [sku('C', { restrictions: [{ type: 'Zone' }] })] },
    });
    expect(await machineTypes(access, 'westeurope')).toEqual(['A', 'C']);
  });

  it('are not asked of another host, which would get the token', async () => {
    const access = of({ 'skus?': { value: [], nextLink: 'https://elsewhere.example/page-2' } });
    await expect(machineTypes(access, 'westeurope')).rejects.toThrow('https://elsewhere.example');
  });
});

describe('a pool on Azure', () => {
  const answers: typeof azure.answers = (token, inputs) =>
    token.endsWith(':getClientToken') ? { token: 'bearer-secret' } : azure.answers(token, inputs);
  const make = (args: Partial<VmssWorkerPoolArgs> = {}) => {
    const all = { credentials: 'https://v.vault.azure.net/secrets/p', resourceGroupName: 'group', ...args };
    return deploy(() => new VmssWorkerPool('builds', all), { ...azure, answers });
  };
  const imageOf = (deployment: Awaited<ReturnType<typeof make>>) => {
    const scaleSet = deployment.one('VirtualMachineScaleSet');
    const profile = scaleSet.inputs['virtualMachineProfile'] as {
      storageProfile: { imageReference: object };
    };
    return { image: profile.storageProfile.imageReference, ignored: scaleSet.ignoreChanges };
  };
  const pinned = 'virtualMachineProfile.storageProfile.imageReference.version';
  const there = {
    '/versions': [{ name: '0.20251001.1803' }],
    'skus?': { value: [{ resourceType: 'virtualMachines', name: 'Standard_A2_v2' }] },
  };

  it('takes the newest image, by its number, and keeps it', async () => {
    vi.stubGlobal('fetch', of(there).fetch);
    const { image, ignored } = imageOf(await make());
    expect(image).toEqual({ ...debian, version: '0.20251001.1803' });
    expect(ignored).toContain(pinned);
  });

  it('follows images when told to', async () => {
    vi.stubGlobal('fetch', of(there).fetch);
    const { image, ignored } = imageOf(await make({ imageUpdates: 'latest' }));
    expect(image).toEqual({ ...debian, version: 'latest' });
    expect(ignored).not.toContain(pinned);
  });

  it('says what it could not look up, without the token, and goes on', async () => {
    vi.stubGlobal('fetch', of({}).fetch);
    const deployment = await make();
    expect(imageOf(deployment).image).toEqual({ ...debian, version: 'latest' });
    expect(deployment.warnings.join('\n')).toMatch(
      /newest Debian image could not be looked up[^]*answered 403/,
    );
    expect(deployment.warnings.join('\n')).toContain('whether Standard_A2_v2 is offered');
    expect(deployment.warnings.join('\n')).not.toContain('bearer-secret');
  });

  it('asks nothing that was chosen', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new Error('nobody is to be asked')));
    const chosen = { image: 'Debian:debian-13:13-gen2:latest', machineType: 'Standard_D2s_v5' };
    expect((await make(chosen)).warnings).toEqual([]);
  });

  it('is another scale set for another generation or architecture, whose images are others', async () => {
    const names = [];
    for (const machineType of ['Standard_A2_v2', 'Standard_D2s_v5', 'Standard_D2ps_v5']) {
      names.push(
        (
          await deploy(
            () =>
              new VmssWorkerPool('builds', {
                credentials: 'https://v.vault.azure.net/secrets/p',
                resourceGroupName: 'group',
                machineType,
              }),
            azure,
          )
        ).one('VirtualMachineScaleSet').name,
      );
    }
    expect(names).toEqual(['builds-workers', 'builds-workers-gen2', 'builds-workers-arm64']);
  });
});
