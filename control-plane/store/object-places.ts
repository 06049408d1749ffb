// OBJECT_STORE_URL: which store it names, and the two parts of it that the control plane uses.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import { createBucketObjects } from './bucket-objects.js';
import { prefixOf, type Bucket } from './buckets/bucket.js';
import { createFileObjectStore, type ObjectStore } from './objects.js';

export interface ObjectPlaces {
  /** Sealed workspaces and uploads. */
  readonly objects: ObjectStore;
  /** What is older of the logs of runs. */
  readonly logs: ObjectStore;
}

export const objectStoreForms =
  'file:///folder, s3://bucket/prefix, azure://account/container/prefix or gs://bucket/prefix';

/**
 * Opens the store that a URL names. `s3://…?region=…&endpoint=…` for what speaks like S3. Throws INVALID_ARGUMENT;
 * ARTEFACT_MISSING when its library is not installed.
 */
export async function openObjectPlaces(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ObjectPlaces> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  switch (url?.protocol) {
    case 'file:': {
      const folder = fileURLToPath(new URL(url.pathname, 'file:///'));
      return {
        objects: createFileObjectStore(join(folder, 'objects')),
        logs: createFileObjectStore(join(folder, 'logs')),
      };
    }
    case 's3:': {
      const { openS3 } = await import('./buckets/s3.js');
      const region = url.searchParams.get('region') ?? environment['AWS_REGION'] ?? undefined;
      const endpoint = url.searchParams.get('endpoint') ?? undefined;
      return below(await openS3({ bucket: hostOf(url), region, endpoint }), url.pathname);
    }
    case 'azure:': {
      const { openAzure } = await import('./buckets/azure.js');
      const [container, ...rest] = url.pathname.slice(1).split('/');
      if (container === undefined || container === '') throw wrongUrl();
      const connectionString = environment['AZURE_STORAGE_CONNECTION_STRING'];
      return below(await openAzure({ account: hostOf(url), container, connectionString }), rest.join('/'));
    }
    case 'gs:': {
      const { openGoogle } = await import('./buckets/google.js');
      const endpoint = url.searchParams.get('endpoint') ?? undefined;
      return below(await openGoogle({ bucket: hostOf(url), endpoint }), url.pathname);
    }
    case undefined:
    default:
      throw wrongUrl();
  }
}

function below(bucket: Bucket, path: string): ObjectPlaces {
  const prefix = prefixOf(path);
  return {
    objects: createBucketObjects(bucket, `${prefix}objects/`),
    logs: createBucketObjects(bucket, `${prefix}logs/`),
  };
}

function hostOf(url: URL): string {
  if (url.host === '') throw wrongUrl();
  return url.host;
}

function wrongUrl(): PoolwrightError {
  return new PoolwrightError('INVALID_ARGUMENT', `Expected OBJECT_STORE_URL to be ${objectStoreForms}.`);
}
