// The machine of the cloud that the settings name.
import type { Clock } from '../clock.js';
import type { CloudSettings } from '../settings/settings.js';
import type { HttpClientOptions } from '../network/http-client.js';
import { createAsk } from './ask.js';
import { createAzureMachine } from './azure.js';
import { createEc2Machine } from './ec2.js';
import { createGoogleMachine } from './google.js';
import type { CloudMachine } from './notice.js';

export function chooseMachine(
  settings: CloudSettings,
  given: Omit<HttpClientOptions, 'endpoint'> & { readonly clock: Clock; readonly random: () => number },
): CloudMachine | null {
  const { metadataEndpoint, apiEndpoint, lifecycleHook, identityClientId } = settings;
  const { clock, random } = given;
  const common = { ask: createAsk(given), metadataEndpoint, clock, random };
  switch (settings.name) {
    case null:
      return null;
    case 'aws':
      return createEc2Machine({ ...common, apiEndpoint, lifecycleHook });
    case 'azure':
      return createAzureMachine({ ...common, apiEndpoint, clientId: identityClientId });
    case 'google':
      return createGoogleMachine(common);
  }
}
