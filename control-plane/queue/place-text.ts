// How far places in a queue are counted, and how one is told to people.

/** Who stands further back is told this one, as counting a million takes too long. */
export const lastPosition = 10_001;

/** `position`: from 1 to `lastPosition`. */
export function placeText(position: number): string {
  const text = position.toLocaleString('en');
  return position < lastPosition ? text : `${text} or later`;
}
