// A socket in front of the container engine's, that can go away and come back while the engine, which is everybody's, stays.
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface EngineSocket {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Nobody listens there any more, and what was connected is cut. */
  away(): Promise<void>;
  back(): Promise<void>;
}

/** `path` is that of the new socket. */
export async function startEngineSocket(path: string): Promise<EngineSocket> {
  const open = new Set<Socket>();
  let server: Server | undefined;

  async function back(): Promise<void> {
    const listening = createServer((near) => {
      const far = connect('/var/run/docker.sock');
      for (const socket of [near, far]) {
        open.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(path, resolve));
  }

  await back();
  return {
    host: `unix://${path}`,
    back,
    async away() {
      const closing = server;
      server = undefined;
      for (const socket of open) socket.destroy();
      if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
      await rm(path, { force: true });
    },
  };
}
