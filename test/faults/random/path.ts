// The way of one program to another through a TCP proxy that can lose it: refuse, go silent, or be slow.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Path {
  readonly port: number;
  /** Resets what is open and refuses what comes, until `heal`. */
  cut(): void;
  /** What is open stays open and carries nothing any more, as after a lost NAT entry; what comes next works. */
  freeze(): void;
  /** Nothing gets through, neither on what is open nor on what comes: no reset, no answer. Until `heal`. */
  swallow(): void;
  /** Everything takes this many milliseconds longer each way; 0 ends it. */
  delay(milliseconds: number): void;
  heal(): void;
  close(): Promise<void>;
}

/** One connection: its two ends, and what is on the way between them. */
interface Pair {
  readonly ends: readonly [Socket, Socket];
  frozen: boolean;
}

/** `target`: a port of this machine. */
export async function openPath(target: number): Promise<Path> {
  const pairs = new Set<Pair>();
  let mode: 'open' | 'refuse' | 'swallow' = 'open';
  let slowness = 0;

  const server = createServer((inbound) => {
    if (mode === 'refuse') {
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect(target, '127.0.0.1');
    const pair: Pair = { ends: [inbound, outbound], frozen: mode === 'swallow' };
    pairs.add(pair);
    forward(pair, inbound, outbound);
    forward(pair, outbound, inbound);
  });

  function forward(pair: Pair, from: Socket, to: Socket): void {
    from.setNoDelay(true);
    let queue: Promise<void> = Promise.resolve();
    const send = (deliver: () => void) => {
      const wait = slowness;
      if (wait === 0) {
        void queue.then(deliver);
        return;
      }
      const late = new Promise((resolve) => setTimeout(resolve, wait));
      queue = queue.then(async () => {
        await late;
        deliver();
      });
    };
    from.on('data', (bytes: Buffer) => {
      if (pair.frozen) return;
      send(() => {
        if (!pair.frozen && !to.destroyed) to.write(bytes);
      });
    });
    from.on('close', () => {
      if (pair.frozen) {
        // The other end does not hear of it; it is given up with its own close.
        if (to.destroyed) pairs.delete(pair);
        return;
      }
      pairs.delete(pair);
      send(() => to.destroy());
    });
    // 'close' follows and ends the other side.
    from.on('error', () => undefined);
  }

  function freeze(): void {
    for (const pair of pairs) pair.frozen = true;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      mode = 'refuse';
      for (const { ends } of pairs) for (const socket of ends) socket.resetAndDestroy();
    },
    freeze,
    swallow() {
      mode = 'swallow';
      freeze();
    },
    delay(milliseconds) {
      slowness = milliseconds;
    },
    heal() {
      mode = 'open';
    },
    async close() {
      for (const { ends } of pairs) for (const socket of ends) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
