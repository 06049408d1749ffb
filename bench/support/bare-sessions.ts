// Idle MQTT sessions that do nothing but be there, with one subscription each, as a worker has.
import { connectAsync, type MqttClient } from 'mqtt';
import { ulid } from 'ulid';
import type { ClientCredentials } from './certificates.js';

/** Answers a function that ends them. */
export async function startBareSessions(
  port: number,
  client: ClientCredentials,
  count: number,
): Promise<() => void> {
  const sessions: MqttClient[] = [];
  let left = count;
  const some = async () => {
    while (left > 0) {
      left -= 1;
      const session = await connectAsync(`mqtts://127.0.0.1:${String(port)}`, {
        clientId: ulid(),
        cert: client.certificate,
        key: client.privateKey,
        ca: [client.authority],
        keepalive: 8,
        protocolVersion: 4,
        reconnectPeriod: 0,
      });
      await session.subscribeAsync(`down/${ulid()}`, { qos: 1 });
      sessions.push(session);
    }
  };
  await Promise.all(Array.from({ length: 8 }, some));
  return () => {
    for (const session of sessions) session.end(true);
  };
}
