// Stand-in of AWS for deployments without an engine: what the provider would add to resources, and answers to look-ups.
import type { Answers, States } from './deployment.js';

export const states: States = (type, name) => {
  const arn = (service: string) => `arn:aws:${service}:eu-west-1:123456789012:${name}`;
  switch (type) {
    case 'aws:s3/bucket:Bucket':
      return {
        bucket: `${name}-b`,
        arn: `arn:aws:s3:::${name}-b`,
        bucketRegionalDomainName: `${name}-b.s3.eu-west-1.amazonaws.com`,
      };
    case 'aws:secretsmanager/secret:Secret':
      return { arn: arn('secretsmanager') };
    case 'aws:secretsmanager/secretVersion:SecretVersion':
      return { versionId: 'version-1' };
    case 'aws:ec2/launchTemplate:LaunchTemplate':
      return { latestVersion: 7 };
    case 'aws:autoscaling/group:Group':
      return { name: `${name}-g`, arn: arn('autoscaling') };
    default:
      return { name, arn: arn(type.split(':')[1] ?? '') };
  }
};

export const answersIn =
  (partition: string): Answers =>
  (token, { filters }) => {
    switch (token) {
      case 'aws:index/getPartition:getPartition':
        return { partition };
      case 'aws:index/getRegion:getRegion':
        return { region: 'eu-west-1' };
      case 'aws:ec2/getAmi:getAmi':
        return { id: 'ami-debian', rootDeviceName: '/dev/xvda' };
      case 'aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings':
        return { instanceTypes: (filters as [{ values: string[] }])[0].values };
      case 'aws:ec2/getVpc:getVpc':
        return { id: 'vpc-default' };
      case 'aws:ec2/getSubnets:getSubnets':
        return { ids: ['subnet-default'] };
      case 'aws:ec2/getSubnet:getSubnet':
        return { vpcId: 'vpc-1' };
      default:
        throw new Error(`unexpected look-up ${token}`);
    }
  };

export const aws = { states, answers: answersIn('aws') };
