// A stand-in for the load balancer in front of several control planes: connections go to one after the other, past
// those that refuse.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Balancer {
  readonly url: string;
  /** Ports of this machine behind it. */
  to(ports: readonly number[]): void;
  close(): Promise<void>;
}

export async function startBalancer(): Promise<Balancer> {
  let ports: readonly number[] = [];
  let next = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    keep(client);
    next += 1;
    forward(client, next, ports.length);
  });

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // The other side is ended by its own close.
    socket.on('error', () => undefined);
  }

  function forward(client: Socket, turn: number, left: number): void {
    const port = ports[turn % Math.max(1, ports.length)];
    if (left === 0 || port === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    keep(upstream);
    let open = false;
    upstream.once('connect', () => {
      open = true;
      client.pipe(upstream);
      upstream.pipe(client);
      client.once('close', () => upstream.destroy());
    });
    upstream.once('close', () => {
      if (open) client.destroy();
      else forward(client, turn + 1, left - 1);
    });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    to: (all) => (ports = all),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
