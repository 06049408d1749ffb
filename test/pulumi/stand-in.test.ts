// The stand-in of cloud providers, asked one call after the other as the engine asks.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { ResourceProviderClient, ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import * as proto from '@pulumi/pulumi/proto/provider_pb.js';
import { Struct, type JavaScriptValue } from 'google-protobuf/google/protobuf/struct_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Journal } from './stand-in/journal.js';
import { standInProvider } from './stand-in/provider.js';
import { listen } from './stand-in/serve.js';
import { asSecret, isSecret, unknown, type Properties } from './stand-in/values.js';

const secretVersion = 'aws:secretsmanager/secretVersion:SecretVersion';
const urn = (type: string, name: string) =>
  `urn:pulumi:dev::project::workerpools:index:Pool$${type}::${name}`;
const struct = (value: Properties) => Struct.fromJavaScript(value as Record<string, JavaScriptValue>);
const read = (value: Struct | undefined) => (value?.toJavaScript() ?? {}) as Record<string, unknown>;

let journal: Journal;
let client: ResourceProviderClient;
let close: () => Promise<void>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stand-in-'));
  journal = new Journal(join(folder, 'journal'));
  const { server, port } = await listen(ResourceProviderService, standInProvider(journal, '1.2.3'));
  client = new ResourceProviderClient(`127.0.0.1:${String(port)}`, credentials.createInsecure());
  close = () => {
    client.close();
    server.forceShutdown();
    return rm(folder, { recursive: true });
  };
});
afterAll(() => close());

const call = <Request, Response>(
  method: (request: Request, callback: (error: ServiceError | null, response: Response) => void) => unknown,
  request: Request,
) => promisify(method.bind(client))(request);

async function check(type: string, news: Properties): Promise<Record<string, unknown>> {
  const request = new proto.CheckRequest();
  request.setUrn(urn(type, 'x'));
  request.setNews(struct(news));
  const response: proto.CheckResponse = await call(client.check.bind(client), request);
  return read(response.getInputs());
}

async function create(type: string, name: string, inputs: Properties, preview = false) {
  const request = new proto.CreateRequest();
  request.setUrn(urn(type, name));
  request.setProperties(struct(inputs));
  request.setPreview(preview);
  const response: proto.CreateResponse = await call(client.create.bind(client), request);
  return { id: response.getId(), outputs: read(response.getProperties()) };
}

async function diff(type: string, olds: Properties, news: Properties) {
  const request = new proto.DiffRequest();
  request.setUrn(urn(type, 'x'));
  request.setOldInputs(struct(olds));
  request.setNews(struct(news));
  const response: proto.DiffResponse = await call(client.diff.bind(client), request);
  return {
    none: response.getChanges() === proto.DiffResponse.DiffChanges.DIFF_NONE,
    changed: response.getDiffsList(),
    replaced: response.getReplacesList(),
  };
}

describe('the stand-in provider', () => {
  it('hands on secrets and unknowns as they are', async () => {
    const news = { secretId: unknown, secretString: asSecret('hidden') };
    expect(await check(secretVersion, news)).toEqual(news);
  });

  it('adds what a cloud would add, which a preview does not know, and records no secret', async () => {
    const inputs = { secretId: 's', secretString: asSecret('hidden') };
    const previewed = await create(secretVersion, 'builds', inputs, true);
    expect(previewed).toEqual({ id: '', outputs: { ...inputs, versionId: unknown } });
    expect(journal.entries()).toEqual([]);
    const made = await create(secretVersion, 'builds', inputs);
    expect(made).toEqual({ id: 'builds-id', outputs: { ...inputs, versionId: 'version-1' } });
    expect(isSecret(made.outputs['secretString'])).toBe(true);
    expect(journal.entries()).toEqual([
      {
        asked: 'create',
        type: secretVersion,
        name: 'builds',
        inputs: { secretId: 's', secretString: '[secret]' },
      },
    ]);
    expect((await create(secretVersion, 'builds', inputs)).outputs['versionId']).toBe('version-2');
  });

  it('sees no change in the same inputs, and tells a change from a replacement', async () => {
    const olds = { a: [1, { b: asSecret('x'), c: 2 }], secretString: asSecret('x') };
    const again = { secretString: asSecret('x'), a: [1, { c: 2, b: asSecret('x') }] };
    expect(await diff(secretVersion, olds, again)).toEqual({ none: true, changed: [], replaced: [] });
    const other = { ...again, a: [1] };
    expect(await diff(secretVersion, olds, other)).toEqual({ none: false, changed: ['a'], replaced: [] });
    const rotated = { ...again, secretString: asSecret('y') };
    expect(await diff(secretVersion, olds, rotated)).toMatchObject({ replaced: ['secretString'] });
  });

  it('changes and deletes', async () => {
    const type = 'aws:ec2/launchTemplate:LaunchTemplate';
    expect((await create(type, 'builds', { instanceType: 'a' })).outputs['latestVersion']).toBe(1);
    const request = new proto.UpdateRequest();
    request.setUrn(urn(type, 'builds'));
    request.setNews(struct({ instanceType: 'b' }));
    const updated: proto.UpdateResponse = await call(client.update.bind(client), request);
    expect(read(updated.getProperties())).toEqual({ instanceType: 'b', latestVersion: 2 });
    const removal = new proto.DeleteRequest();
    removal.setUrn(urn(type, 'builds'));
    await call(client.delete.bind(client), removal);
    const asked = journal.entries().filter((entry) => entry.type === type);
    expect(asked.map((entry) => entry.asked)).toEqual(['create', 'update', 'delete']);
  });

  it('answers look-ups, and says what it has no answer for', async () => {
    const ask = async (token: string) => {
      const request = new proto.InvokeRequest();
      request.setTok(token);
      request.setArgs(struct({}));
      const response: proto.InvokeResponse = await call(client.invoke.bind(client), request);
      return read(response.getReturn());
    };
    expect(await ask('aws:index/getPartition:getPartition')).toEqual({ partition: 'aws' });
    await expect(ask('mars:index/get:get')).rejects.toThrow(/no stand-in answers mars/);
  });
});
