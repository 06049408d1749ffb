// Objects in S3 or in what speaks like it. Credentials come as the AWS tools find them: variables, files, the instance.
import type { Readable } from 'node:stream';
import { library } from '../../library.js';
import { needs, upload, type Bucket } from './bucket.js';

export interface S3Place {
  readonly bucket: string;
  readonly region: string | undefined;
  /** For what is not AWS: its address. The bucket then stands in the path. */
  readonly endpoint: string | undefined;
}

export async function openS3(place: S3Place): Promise<Bucket> {
  const s3 = await library('@aws-sdk/client-s3', needs, () => import('@aws-sdk/client-s3'));
  const { Upload } = await library('@aws-sdk/lib-storage', needs, () => import('@aws-sdk/lib-storage'));
  const client = new s3.S3Client({
    ...(place.region === undefined ? {} : { region: place.region }),
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint, forcePathStyle: true }),
    // Others that speak S3 do not all know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const { bucket } = place;
  return {
    async put(key, source) {
      await new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: source },
        partSize: upload.part,
        queueSize: upload.parallel,
      }).done();
    },
    async get(key) {
      try {
        const { Body, ContentLength } = await client.send(
          new s3.GetObjectCommand({ Bucket: bucket, Key: key }),
        );
        return { size: ContentLength ?? 0, stream: Body as Readable };
      } catch (error) {
        if (error instanceof s3.NoSuchKey) return undefined;
        throw error;
      }
    },
    async delete(key) {
      await client.send(new s3.DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },
    async *list(prefix) {
      for await (const page of s3.paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
        for (const { Key, LastModified } of page.Contents ?? []) {
          if (Key !== undefined) yield { key: Key, modifiedAt: LastModified?.getTime() ?? 0 };
        }
      }
    },
  };
}
