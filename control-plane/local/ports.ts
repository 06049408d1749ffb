// Finds a port to listen on: the wanted one, or the next that is free.
import { createServer } from 'node:net';
import { PoolwrightError } from '../../protocol/errors.js';

const attempts = 50;

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () =>
      server.close(() => {
        resolve(true);
      }),
    );
  });
}

/** The first free port from `first` upwards, leaving out `taken`. PORT_IN_USE when there is none near. */
export async function nextFreePort(
  host: string,
  first: number,
  taken: readonly number[] = [],
): Promise<number> {
  const last = Math.min(first + attempts, 65_535);
  for (let port = first; port <= last; port += 1) {
    if (!taken.includes(port) && (await isFree(host, port))) return port;
  }
  throw new PoolwrightError(
    'PORT_IN_USE',
    `No port of ${host} from ${String(first)} to ${String(last)} is free. Name one with --port and --broker-port, or 0 for any.`,
  );
}
