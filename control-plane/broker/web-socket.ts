// MQTT over WebSocket at the API's address: the way in for workers whose network lets only that through. Each connection
// gets a challenge, because a client certificate does not come through a proxy that ends TLS.
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { limits } from '../../protocol/limits.js';
import { webSocketPath } from '../../protocol/worker-api.js';
import { challengeHeader } from '../../protocol/worker-proof.js';

export interface WebSocketEntrance {
  /** For the `upgrade` event of an HTTP server. What is not meant for workers is refused. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends all connections. */
  close(): void;
}

/** A packet of MQTT around the largest message. */
const largestPacket = limits.message + 1024;

/** `onStream` gets a stream of MQTT bytes, and the challenge that its client has to sign. */
export function createWebSocketEntrance(
  onStream: (stream: Duplex, challenge: string) => void,
): WebSocketEntrance {
  const challenges = new WeakMap<IncomingMessage, string>();
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: largestPacket,
    // Messages are short or sealed; compression would cost memory for each connection.
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
  });
  server.on('headers', (headers, request) => {
    headers.push(`${challengeHeader}: ${challenges.get(request) ?? ''}`);
  });
  return {
    upgrade(request, socket, head) {
      // A client that goes during the handshake is nobody's fault.
      const ignore = () => undefined;
      socket.on('error', ignore);
      const path = (request.url ?? '').split('?')[0];
      if (path !== webSocketPath) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const challenge = randomBytes(16).toString('hex');
      challenges.set(request, challenge);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off('error', ignore);
        const stream = createWebSocketStream(webSocket);
        // 'close' follows, and that is what the broker looks at.
        stream.on('error', ignore);
        onStream(stream, challenge);
      });
    },
    close() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}
