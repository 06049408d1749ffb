// Places in manifests that a template fills: objects are written as YAML with marks in them, and the marks become actions of
// Go's templates (https://pkg.go.dev/text/template) with the indentation of where they stand.

export type Dump = (object: object) => string;

export interface Slots {
  /** An expression's value in the place of a text, or of a part of it. */
  readonly inline: (expression: string) => string;
  /** A value with parts. */
  readonly block: (expression: string) => string;
  /** The same, left out with its key when it is empty. */
  readonly optional: (expression: string) => string;
  /**
   * Lines of a template as they are: for all of a list or an object, as one item of a list, or, spread, beside an object's
   * other keys.
   */
  readonly lines: (text: string) => Record<string, string>;
  /** An object's further entries from a value, spread beside its own. */
  readonly entries: (expression: string) => Record<string, string>;
  readonly render: (object: object) => string;
}

/** The expression of a value, wherever in a template it stands. */
export const at = (path: string): string => `$.Values.${path}`;

export function createSlots(dump: Dump): Slots {
  const slots: { readonly kind: 'inline' | 'block' | 'optional' | 'lines'; readonly text: string }[] = [];
  const add = (kind: (typeof slots)[number]['kind'], text: string) => {
    slots.push({ kind, text });
    return `SLOT${String(slots.length - 1)}TOLS`;
  };
  const slot = (number: string) => slots[Number(number)] ?? { kind: 'inline', text: '' };
  /** Actions stand at the margin, but for values, which take the indentation of their place. */
  const placed = (text: string, indent: string) =>
    text
      .split('\n')
      .map((line) => {
        const value = /^\{\{ toYaml (.*) \}\}$/.exec(line)?.[1];
        if (value !== undefined) return `${indent}{{- toYaml ${value} | nindent ${String(indent.length)} }}`;
        return line.startsWith('{{-') ? line : indent + line;
      })
      .join('\n');

  function filled(line: string): string {
    const all = /^(\s*)(?:- )?SLOT(\d+)TOLS: lines$/.exec(line);
    if (all !== null) return placed(slot(all[2] ?? '').text, all[1] ?? '');
    const whole = /^(\s*)((?:- )?)([^\s:]+): SLOT(\d+)TOLS$/.exec(line);
    const [, indent = '', dash = '', key = '', number = ''] = whole ?? [];
    const { kind, text } = slot(number);
    const inside = String(indent.length + dash.length + 2);
    if (whole !== null && kind === 'block')
      return `${indent}${dash}${key}: {{- toYaml ${text} | nindent ${inside} }}`;
    if (whole !== null && kind === 'optional')
      return `{{- with ${text} }}\n${indent}${key}: {{- toYaml . | nindent ${inside} }}\n{{- end }}`;
    return line.replaceAll(/SLOT(\d+)TOLS/g, (_, found: string) => `{{ ${slot(found).text} }}`);
  }

  const lines = (text: string) => ({ [add('lines', text)]: 'lines' });
  return {
    inline: (expression) => add('inline', expression),
    block: (expression) => add('block', expression),
    optional: (expression) => add('optional', expression),
    lines,
    entries: (expression) => lines(`{{- with ${expression} }}\n{{ toYaml . }}\n{{- end }}`),
    render: (object) => dump(object).split('\n').map(filled).join('\n'),
  };
}
