// Questions as the launcher asks them, without a proxy.
import { rootCertificates } from 'node:tls';
import { withoutProxies } from '../../../../launcher/network/proxies.js';
import { createAsk } from '../../../../launcher/notices/ask.js';

export const ask = createAsk({ proxies: withoutProxies, authorities: () => [...rootCertificates] });
