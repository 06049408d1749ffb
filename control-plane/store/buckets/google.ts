// Objects in Google Cloud Storage. Credentials come as Google's tools find them: variables, files, the instance.
import { pipeline } from 'node:stream/promises';
import { library } from '../../library.js';
import { needs, upload, type Bucket } from './bucket.js';

export interface GooglePlace {
  readonly bucket: string;
  /** Address of an emulator. */
  readonly endpoint: string | undefined;
}

export async function openGoogle(place: GooglePlace): Promise<Bucket> {
  const { Storage, ApiError } = await library(
    '@google-cloud/storage',
    needs,
    () => import('@google-cloud/storage'),
  );
  const storage = new Storage(
    place.endpoint === undefined
      ? {}
      : { apiEndpoint: place.endpoint, projectId: 'poolwright', useAuthWithCustomEndpoint: false },
  );
  const bucket = storage.bucket(place.bucket);
  const missing = (error: unknown) => error instanceof ApiError && error.code === 404;
  return {
    async put(key, source) {
      // Without its last part an upload makes no object.
      await pipeline(source, bucket.file(key).createWriteStream({ resumable: true, chunkSize: upload.part }));
    },
    async get(key) {
      try {
        const file = bucket.file(key);
        const [{ size }] = await file.getMetadata();
        return { size: Number(size), stream: file.createReadStream() };
      } catch (error) {
        if (missing(error)) return undefined;
        throw error;
      }
    },
    async delete(key) {
      await bucket.file(key).delete({ ignoreNotFound: true });
    },
    async *list(prefix) {
      for (let pageToken: string | undefined; ;) {
        const [files, next] = await bucket.getFiles({
          prefix,
          autoPaginate: false,
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        for (const { name, metadata } of files) {
          yield { key: name, modifiedAt: Date.parse(metadata.updated ?? '') };
        }
        pageToken = (next as { pageToken?: string } | null)?.pageToken;
        if (pageToken === undefined) return;
      }
    },
  };
}
