// Stand-in of Azure for deployments without an engine.
import type { Answers, States } from './deployment.js';

const states: States = (type, name, inputs) => {
  const id = `/subscriptions/s/resourceGroups/g/${type.split(':')[1] ?? ''}/${name}`;
  switch (type) {
    case 'azure-native:managedidentity:UserAssignedIdentity':
      return { id, name, principalId: 'principal', clientId: 'client' };
    case 'azure-native:keyvault:Secret':
      return {
        id,
        name: inputs['secretName'],
        properties: {
          secretUri: 'https://v.vault.azure.net/secrets/credentials',
          secretUriWithVersion: 'https://v.vault.azure.net/secrets/credentials/0a1b',
        },
      };
    case 'azure-native:storage:Blob':
      return { url: `https://account.blob.core.windows.net/launcher/${String(inputs['blobName'])}` };
    default:
      return { id, name };
  }
};

const answers: Answers = (token) => {
  if (token === 'azure-native:resources:getResourceGroup') return { location: 'westeurope' };
  if (token === 'azure-native:authorization:getClientConfig') return { subscriptionId: 's', tenantId: 't' };
  // Nobody to ask: what is not offered, and which image is the newest, is looked up in test/components/azure.
  if (token === 'azure-native:authorization:getClientToken') return { token: '' };
  throw new Error(`unexpected look-up ${token}`);
};

export const azure = { states, answers };
