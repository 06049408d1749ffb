// `node provider.cjs JOURNAL VERSION`: a stand-in of a provider as a process, as the engine starts it.
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import { Journal } from './journal.js';
import { standInProvider } from './provider.js';
import { serve } from './serve.js';

const [journal = '', version = ''] = process.argv.slice(2);
void serve(ResourceProviderService, standInProvider(new Journal(journal), version));
