// Stand-in of Google Cloud for deployments without an engine.
import type { Answers, States } from './deployment.js';

const states: States = (type, name, inputs) => {
  switch (type) {
    case 'gcp:serviceaccount/account:Account':
      return { email: `${String(inputs['accountId'])}@project.iam.gserviceaccount.com` };
    case 'gcp:secretmanager/secret:Secret':
      return { id: `projects/project/secrets/${name}` };
    case 'gcp:secretmanager/secretVersion:SecretVersion':
      return { version: '1' };
    case 'gcp:storage/bucket:Bucket':
      return { name: `${name}-b` };
    case 'gcp:storage/bucketObject:BucketObject':
      return { outputName: inputs['name'] };
    case 'gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager':
      return { name: `${name}-m`, project: 'project' };
    case 'gcp:compute/instanceTemplate:InstanceTemplate':
      return { selfLinkUnique: `https://compute/${name}?uniqueId=1` };
    default:
      return { name };
  }
};

const answers: Answers = (token, inputs) => {
  if (token === 'gcp:compute/getImage:getImage')
    return { selfLink: `projects/${String(inputs['project'])}/${String(inputs['family'])}-v1` };
  throw new Error(`unexpected look-up ${token}`);
};

export const google = { states, answers };
