// What is known of a variable that the launcher reads.

export interface Variable<Value> {
  readonly name: string;
  /** The same in small letters, for variables that every program reads in both; `name` counts when both are there. */
  readonly alias?: string;
  /** For people: one or two sentences. */
  readonly meaning: string;
  /** What counts when the variable is absent or empty, in the form that users write. Undefined: required. */
  readonly default: string | undefined;
  /** Said in the place of an empty default. */
  readonly noDefault?: string;
  /** Throws a PoolwrightError whose message is the reason. */
  readonly read: (text: string) => Value;
}

/** Variables whose names have a part that the user chooses; settings/families.ts reads them. */
export interface VariableFamily {
  readonly name: string;
  readonly meaning: string;
}

export function define<Value>(variable: Variable<Value>): Variable<Value> {
  return variable;
}
