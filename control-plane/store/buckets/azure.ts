// Objects as blobs of an Azure storage account. Credentials: AZURE_STORAGE_CONNECTION_STRING, or whatever the Azure
// tools find: variables, a workload's or a machine's identity.
import type { Readable } from 'node:stream';
import { library } from '../../library.js';
import { needs, upload, type Bucket } from './bucket.js';

export interface AzurePlace {
  /** Name of the storage account. */
  readonly account: string;
  readonly container: string;
  /** Takes the place of account and identity. */
  readonly connectionString: string | undefined;
}

export async function openAzure(place: AzurePlace): Promise<Bucket> {
  const blobs = await library('@azure/storage-blob', needs, () => import('@azure/storage-blob'));
  const service =
    place.connectionString === undefined
      ? new blobs.BlobServiceClient(`https://${place.account}.blob.core.windows.net`, await identity())
      : blobs.BlobServiceClient.fromConnectionString(place.connectionString);
  const container = service.getContainerClient(place.container);
  return {
    async put(key, source) {
      // Parts that are not committed are no blob; the account forgets them.
      await container.getBlockBlobClient(key).uploadStream(source, upload.part, upload.parallel);
    },
    async get(key) {
      try {
        const { contentLength, readableStreamBody } = await container.getBlobClient(key).download();
        return { size: contentLength ?? 0, stream: readableStreamBody as Readable };
      } catch (error) {
        if (error instanceof blobs.RestError && error.statusCode === 404 && error.code === 'BlobNotFound')
          return undefined;
        throw error;
      }
    },
    async delete(key) {
      await container.getBlobClient(key).deleteIfExists();
    },
    async *list(prefix) {
      for await (const { name, properties } of container.listBlobsFlat({ prefix })) {
        yield { key: name, modifiedAt: properties.lastModified.getTime() };
      }
    },
  };
}

async function identity() {
  const { DefaultAzureCredential } = await library('@azure/identity', needs, () => import('@azure/identity'));
  return new DefaultAzureCredential();
}
