// The Docker engine of this machine, as far as `poolwright local` asks it.
import type { Engine } from './engine.js';

/** Milliseconds for the engine to answer a question, and without news of a pull. */
const answerWithin = 3_000;
const pullSilence = 30_000;
/** At most one progress line in this many milliseconds. */
const tellEvery = 2_000;

interface PullEvent {
  readonly status?: string;
  readonly progress?: string;
  readonly error?: string;
}

/** Found as the docker command finds it: DOCKER_HOST, else the usual socket. Loaded only when asked. */
export async function dockerEngine(now: () => number = Date.now): Promise<Engine> {
  const { default: Docker } = await import('dockerode');
  const docker = new Docker({ timeout: answerWithin });
  const puller = new Docker();
  return {
    ping: async () => {
      await docker.ping();
    },
    hasImage: async (image) => {
      try {
        await docker.getImage(image).inspect();
        return true;
      } catch (error) {
        if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return false;
        throw error;
      }
    },
    pull: async (image, onProgress, signal) => {
      const silence = new AbortController();
      const timer = setTimeout(() => {
        silence.abort();
      }, pullSilence);
      try {
        const stream = await puller.pull(image, { abortSignal: AbortSignal.any([silence.signal, signal]) });
        let told = now();
        await new Promise<void>((resolve, reject) => {
          const finished = (error: Error | null) => {
            if (error === null) resolve();
            else reject(error);
          };
          puller.modem.followProgress(stream, finished, ({ status, progress }: PullEvent) => {
            timer.refresh();
            if (now() - told < tellEvery) return;
            told = now();
            onProgress(
              `Pulling ${image}: ${[status, progress].filter((part) => part !== undefined).join(' ')}`,
            );
          });
        });
      } catch (error) {
        if (!silence.signal.aborted) throw error;
        throw new Error(`no progress for ${String(pullSilence / 1000)} s`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
