// The reference for `workers`: nothing but the broker library behind TLS with client certificates. Its environment
// gives certificates; it prints the port it listens on.
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { Aedes } from 'aedes';

const { BROKER_CERTIFICATE, BROKER_KEY, BROKER_AUTHORITY } = process.env;
const aedes = await Aedes.createBroker();
const server = createServer(
  {
    cert: BROKER_CERTIFICATE,
    key: BROKER_KEY,
    ca: BROKER_AUTHORITY,
    requestCert: true,
    rejectUnauthorized: true,
  },
  (socket) => {
    aedes.handle(socket);
  },
);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${String((server.address() as AddressInfo).port)}\n`);
});
