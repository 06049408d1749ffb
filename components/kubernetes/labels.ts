// Labels of everything that a pool makes.
import * as pulumi from '@pulumi/pulumi';

interface Metadata {
  readonly name?: pulumi.Input<string>;
  readonly namespace?: pulumi.Input<string>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Metadata with the labels that were given, besides its own. */
export type Labelled = <Given extends Metadata>(
  metadata: Given,
) => Given & { labels?: pulumi.Input<Record<string, pulumi.Input<string>>> };

/** An own label wins: selectors go by it. */
export function labelling(tags: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined): Labelled {
  return (metadata) =>
    tags === undefined
      ? metadata
      : { ...metadata, labels: pulumi.output(tags).apply((given) => ({ ...given, ...metadata.labels })) };
}
