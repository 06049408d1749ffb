// Where a container engine keeps images and containers, when that is a folder that this process sees: it may be on another
// disk than everything that the launcher has itself.
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { ifThere } from '../absent.js';
import { askEngine } from './docker-engine.js';

const infoSchema = z.object({ DockerRootDir: z.string() });

/**
 * Answers a function that gives the folder; undefined where it cannot be seen, as of an engine on another machine or outside
 * of the launcher's own container. `host`: DOCKER_HOST. It throws ENGINE_UNAVAILABLE.
 */
export function createEngineRoot(host: string | undefined): () => Promise<string | undefined> {
  // A folder of the same name here says nothing of an engine that is elsewhere.
  const near = host === undefined || host === '' || host.startsWith('unix:');
  let root: string | undefined;
  return async () => {
    if (!near) return undefined;
    root ??= infoSchema.parse(JSON.parse((await askEngine(host, '/info')).body)).DockerRootDir;
    // Its parents may be closed to this user: then it is not seen either.
    const found = await ifThere(stat(root), undefined).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'EACCES') return undefined;
      throw error;
    });
    return found?.isDirectory() === true ? root : undefined;
  };
}
