// What the clouds answer, as their documentation shows it, so that tests read what machines will.

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html */
export const roleCredentials = `{
  "Code" : "Success",
  "LastUpdated" : "2026-11-24T16:39:16Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAIOSFODNN7EXAMPLE",
  "SecretAccessKey" : "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "Token" : "token+of/the=session",
  "Expiration" : "2026-11-24T22:39:16Z"
}`;

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
export const spotAction = '{"action": "terminate", "time": "2026-11-24T17:02:00Z"}';

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html */
export const rebalance = '{"noticeTime": "2026-11-24T16:58:12Z"}';

/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html */
export const lifecycleCompleted = `<CompleteLifecycleActionResponse xmlns="https://autoscaling.amazonaws.com/doc/2011-01-01/">
  <CompleteLifecycleActionResult></CompleteLifecycleActionResult>
  <ResponseMetadata>
    <RequestId>7c6e177f-f082-11e1-ac58-3714bEXAMPLE</RequestId>
  </ResponseMetadata>
</CompleteLifecycleActionResponse>`;

export const accessDenied = `<ErrorResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>User: arn:aws:sts::123456789012:assumed-role/workers/i-0abc is not authorized to perform: autoscaling:SetInstanceProtection on resource: arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:6f3a:autoScalingGroupName/builds</Message>
  </Error>
  <RequestId>1b1f0c2e-0000-4000-8000-000000000000</RequestId>
</ErrorResponse>`;

/** https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service, as far as it matters */
export const azureCompute = `{
  "azEnvironment": "AzurePublicCloud",
  "isHostCompatibilityLayerVm": "false",
  "location": "westeurope",
  "name": "builds_3",
  "resourceId": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/workers/providers/Microsoft.Compute/virtualMachineScaleSets/builds/virtualMachines/3",
  "vmScaleSetName": "builds",
  "zone": ""
}`;

export interface AzureEvent {
  readonly type: string;
  readonly status?: string;
  readonly resources?: readonly string[];
  readonly notBefore?: string;
}

/** https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events, "Query for events" */
export function scheduledEvents(...events: readonly AzureEvent[]): string {
  return JSON.stringify({
    DocumentIncarnation: 2,
    Events: events.map(({ type, status = 'Scheduled', resources = ['builds_3'], notBefore = '' }, index) => ({
      EventId: `C7061BAC-AFDC-4513-B24B-AA5F13A16123-${String(index)}`,
      EventStatus: status,
      EventType: type,
      ResourceType: 'VirtualMachine',
      Resources: resources,
      NotBefore: notBefore,
      Description:
        type === 'Terminate'
          ? ''
          : 'Virtual machine is being paused because of a memory-preserving Live Migration operation.',
      EventSource: 'Platform',
      DurationInSeconds: type === 'Freeze' ? 5 : -1,
    })),
  });
}

export const azureToken =
  '{"access_token":"managed-identity-token","expires_in":"86399","resource":"https://management.azure.com/","token_type":"Bearer"}';

export const authorizationFailed = `{"error":{"code":"AuthorizationFailed","message":"The client '0f3e' with object id '0f3e' does not have authorization to perform action 'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write' over scope '/subscriptions/1'."}}`;

/** https://cloud.google.com/compute/docs/reference/rest/v1/instances, `resourceStatus.shutdownDetails` */
export const pendingStop =
  '{"maxDuration":"3600s","requestTimestamp":"2026-11-24T08:00:00.000-08:00","stopState":"PENDING_STOP","targetState":"DELETED"}';
export const noStop = '{"stopState":"UNSPECIFIED"}';
