// OBJECT_STORE_URL: the same store, whoever offers it, on emulators of others.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BlobServiceClient } from '@azure/storage-blob';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openObjectPlaces, type ObjectPlaces } from '../../../control-plane/store/object-places.js';
import { hasEmulator, startEmulator, type RunningEmulator } from '../../support/emulators.js';

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(part);
}

async function digest(stream: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of stream) hash.update(part as Uint8Array);
  return hash.digest('hex');
}

/** What the control plane relies on, at every store. */
function behaves(open: () => ObjectPlaces): void {
  it('stores streams whole, larger than one part, and gives them back', async () => {
    const { objects } = open();
    const parts = Array.from({ length: 20 }, () => randomBytes(1024 * 1024));
    const id = ulid();
    expect(await objects.put(id, chunks(...parts), Infinity)).toEqual({ size: 20 * 1024 * 1024 });
    const { size, stream } = await objects.get(id);
    expect(size).toBe(20 * 1024 * 1024);
    expect(await digest(stream)).toBe(await digest(chunks(...parts)));
    await objects.delete(id);
    await objects.delete(id);
    await expect(objects.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('keeps nothing of what is too large, or whose source fails', async () => {
    const { objects } = open();
    const [large, broken] = [ulid(), ulid()];
    await expect(objects.put(large, chunks(randomBytes(600), randomBytes(600)), 1000)).rejects.toMatchObject({
      code: 'TOO_LARGE',
    });
    const failing = (async function* () {
      yield await Promise.resolve(randomBytes(100));
      throw new Error('the sender went away');
    })();
    await expect(objects.put(broken, failing, 1000)).rejects.toThrow('the sender went away');
    for (const id of [large, broken])
      await expect(objects.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(objects.get('../secrets')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('lists what is there with its time, logs apart from the rest', async () => {
    const { objects, logs } = open();
    const [one, two, log] = [ulid(), ulid(), ulid()];
    for (const id of [one, two]) await objects.put(id, chunks(Buffer.from('x')), 10);
    await logs.put(log, chunks(Buffer.from('y')), 10);
    const found = (await objects.list()).filter(({ id }) => [one, two, log].includes(id));
    expect(found.map(({ id }) => id).toSorted()).toEqual([one, two].toSorted());
    for (const { modifiedAt } of found) expect(Math.abs(modifiedAt - Date.now())).toBeLessThan(120_000);
    expect((await logs.list()).map(({ id }) => id)).toContain(log);
  });
}

describe('a folder', () => {
  let folder: string;
  let places: ObjectPlaces;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-objects-'));
    places = await openObjectPlaces(pathToFileURL(folder).href, {});
  });
  afterAll(() => rm(folder, { recursive: true }));
  behaves(() => places);
});

describe.skipIf(!hasEmulator('moto', 'objects in S3'))('S3', () => {
  let emulator: RunningEmulator;
  let places: ObjectPlaces;
  beforeAll(async () => {
    emulator = await startEmulator('moto');
    process.env['AWS_ACCESS_KEY_ID'] = process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
    const client = new S3Client({ region: 'eu-central-1', endpoint: emulator.url, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: 'poolwright' }));
    client.destroy();
    const url = `s3://poolwright/some/prefix?region=eu-central-1&endpoint=${encodeURIComponent(emulator.url)}`;
    places = await openObjectPlaces(url, {});
  }, 90_000);
  afterAll(() => emulator.close());
  behaves(() => places);
});

describe.skipIf(!hasEmulator('azurite', 'objects in Azure Blob Storage'))('Azure Blob Storage', () => {
  let emulator: RunningEmulator;
  let places: ObjectPlaces;
  beforeAll(async () => {
    emulator = await startEmulator('azurite');
    // The account that every azurite has; its key is printed in its documentation.
    const connectionString = [
      'DefaultEndpointsProtocol=http',
      'AccountName=devstoreaccount1',
      'AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
      `BlobEndpoint=${emulator.url}/devstoreaccount1`,
    ].join(';');
    await BlobServiceClient.fromConnectionString(connectionString).getContainerClient('poolwright').create();
    places = await openObjectPlaces('azure://devstoreaccount1/poolwright/some/prefix', {
      AZURE_STORAGE_CONNECTION_STRING: connectionString,
    });
  }, 90_000);
  afterAll(() => emulator.close());
  behaves(() => places);
});

describe.skipIf(!hasEmulator('gcs', 'objects in Google Cloud Storage'))('Google Cloud Storage', () => {
  let emulator: RunningEmulator;
  let places: ObjectPlaces;
  beforeAll(async () => {
    emulator = await startEmulator('gcs');
    places = await openObjectPlaces(
      `gs://poolwright/some/prefix?endpoint=${encodeURIComponent(emulator.url)}`,
      {},
    );
  }, 90_000);
  afterAll(() => emulator.close());
  behaves(() => places);
});

describe('a URL', () => {
  it.each(['ftp://host/x', 'nonsense', 's3:///prefix', 'azure://account'])('is refused: %s', async (url) => {
    await expect(openObjectPlaces(url, {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
