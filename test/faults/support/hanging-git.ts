// A Git server that takes connections and says nothing: a run that prepares from it waits.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface HangingGit {
  /** Address for a stack. */
  readonly repository: string;
  connections(): number;
  /** Ends everything: git fails then. */
  close(): void;
}

export async function hangingGitServer(): Promise<HangingGit> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    repository: `git://127.0.0.1:${String((server.address() as AddressInfo).port)}/x`,
    connections: () => connections,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
