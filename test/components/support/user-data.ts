// What user data writes.

/** The text that the boot script writes to this path. */
export function fileIn(script: string, path: string): string {
  const start = script.indexOf(`cat >'${path}.new' <<'END'\n`);
  if (start < 0) throw new Error(`the script does not write ${path}`);
  const body = script.slice(script.indexOf('\n', start) + 1);
  return body.slice(0, body.indexOf('\nEND\n') + 1);
}

/** The functions that the programs of a worker share; a cause, which the machine would say at its end, is printed. */
export function functionsIn(script: string): string {
  return fileIn(script, '/opt/poolwright/functions').replace('>/run/poolwright-cause', '>&1');
}
