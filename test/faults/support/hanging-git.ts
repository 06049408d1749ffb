// A server that takes connections and says nothing, as of Git or a registry: a run that prepares from it waits.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface HangingServer {
  /** On 127.0.0.1. */
  readonly port: number;
  connections(): number;
  /** Ends everything: who waits for it fails then. */
  close(): void;
}

export interface HangingGit extends HangingServer {
  /** Address for a stack. */
  readonly repository: string;
  /** The same by http, for which git starts a helper. */
  readonly http: string;
}

export async function hangingGitServer(): Promise<HangingGit> {
  const server = await hangingServer();
  const place = `127.0.0.1:${String(server.port)}/x`;
  return { ...server, repository: `git://${place}`, http: `http://${place}` };
}

export async function hangingServer(): Promise<HangingServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
