// What a sealed thing is for. It is bound into the encryption, so one cannot be put in the place of another.

/** A variable of a stack. */
export function variableContext(stack: string, name: string): string {
  return `variable/${stack}/${name}`;
}

/** The workspace that a stage of a run leaves for the next. */
export function workspaceContext(run: string): string {
  return `workspace/${run}`;
}

/** An output that a stack has produced. */
export function outputContext(stack: string, name: string): string {
  return `output/${stack}/${name}`;
}

/** A workspace that a user uploaded, by the id of the object. */
export function archiveContext(object: string): string {
  return `archive/${object}`;
}
