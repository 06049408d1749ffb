// Text as the shell reads it.

/** One word in single quotes: nothing in it has a meaning for the shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `NAME='value'` lines; with a prefix such as `export `. */
export function assignments(values: Readonly<Record<string, string>>, prefix = ''): string {
  return Object.entries(values)
    .map(([name, value]) => `${prefix}${name}=${quoted(value)}\n`)
    .join('');
}

/**
 * Commands that write a file: it is there whole or not at all, because on some clouds the boot script runs at every start
 * of the machine, beside programs that read these files. The mark that ends the text does not occur in it.
 */
export function fileOf(path: string, mode: string, text: string): string {
  let mark = 'END';
  while (text.split('\n').includes(mark)) mark += '_';
  const body = text.endsWith('\n') ? text : `${text}\n`;
  const fresh = quoted(`${path}.new`);
  return `cat >${fresh} <<'${mark}'\n${body}${mark}\nchmod ${mode} ${fresh}\nmv ${fresh} ${quoted(path)}\n`;
}

/** Without comment lines, but for the first line of a program: user data has a bound. */
export function withoutComments(script: string): string {
  return script
    .split('\n')
    .filter((line, index) => (index === 0 && line.startsWith('#!')) || !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\n{2,}/g, '\n');
}
