// How to look at the machines of a scale set that did not become workers.

/** The provider has no way to list machines of a set or to read their consoles, so these are commands. */
export function missingOnAzure(scaleSet: string, resourceGroup: string): readonly string[] {
  const set = `--resource-group ${resourceGroup} --name ${scaleSet}`;
  return [
    'Azure tells of the machines by these commands; workers that are there have their number as instance_id:',
    `  az vmss list-instances ${set} --output table`,
    `  az vmss get-instance-view ${set} --instance-id <id> --query bootDiagnostics.serialConsoleLogBlobUri --output tsv`,
    `  az vmss run-command invoke ${set} --instance-id <id> --command-id RunShellScript --scripts 'journalctl -t poolwright | tail -n 20'`,
  ];
}
