// Serves one gRPC service on a free port of this machine, as the engine's plugins do: the first line says the port.
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

export function listen(
  service: ServiceDefinition,
  implementation: UntypedServiceImplementation,
): Promise<{ server: Server; port: number }> {
  // User data, schemas and certificates: larger than gRPC's own bound.
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  server.addService(service, implementation);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve({ server, port });
      else reject(error);
    });
  });
}

export async function serve(
  service: ServiceDefinition,
  implementation: UntypedServiceImplementation,
): Promise<void> {
  const { port } = await listen(service, implementation);
  process.stdout.write(`${String(port)}\n`);
}
