// Protection of one instance of a scale set, by the instance itself.
// Source: https://learn.microsoft.com/azure/virtual-machine-scale-sets/virtual-machine-scale-sets-instance-protection
import * as z from 'zod';
import type { Ask, Question } from './ask.js';
import type { AzureMetadata } from './azure-metadata.js';
import { RefusedError, type ScaleInProtection } from './notice.js';

/** Addresses of the resource manager by `azEnvironment`. */
const resourceManagers: Readonly<Record<string, string>> = {
  AzurePublicCloud: 'https://management.azure.com',
  AzureUSGovernmentCloud: 'https://management.usgovcloudapi.net',
  AzureChinaCloud: 'https://management.chinacloudapi.cn',
};
const version = '2024-07-01';
/** Milliseconds: the resource manager often takes its time. */
const patience = 30_000;

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export function azureProtection({
  metadata,
  ask,
  endpoint,
  clientId,
}: {
  readonly metadata: AzureMetadata;
  readonly ask: Ask;
  /** Of the resource manager; null for the one of the machine's own Azure. */
  readonly endpoint: string | null;
  readonly clientId: string | null;
}): ScaleInProtection {
  return {
    async set(protect, signal) {
      const { resourceId, location, azEnvironment } = await metadata.itself(signal);
      const manager = resourceManagers[azEnvironment] ?? 'https://management.azure.com';
      const token = await metadata.token(clientId, `${manager}/`, signal);
      const question: Question = {
        method: 'PUT',
        url: `${endpoint ?? manager}${resourceId}?api-version=${version}`,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        // From upgrades and repairs, too: they would end the run just as well.
        body: JSON.stringify({
          location,
          properties: {
            protectionPolicy: { protectFromScaleIn: protect, protectFromScaleSetActions: protect },
          },
        }),
        timeout: patience,
      };
      const { status, text } = await ask(question, signal);
      if (status >= 200 && status < 300) return;
      const reason = `protection of the instance: ${reasonOf(status, text)}`;
      throw status < 500 ? new RefusedError(reason) : new Error(reason);
    },
  };
}

function reasonOf(status: number, text: string): string {
  try {
    const { code, message } = errorSchema.parse(JSON.parse(text)).error;
    return `${code}: ${message}`.slice(0, 400);
  } catch {
    return `HTTP ${String(status)}`;
  }
}
