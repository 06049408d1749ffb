// Cron expressions: which minutes of local time they name. What the clocks of a time zone make of them is in
// stacks/next-time.ts.

/** What an expression names. */
export interface Cron {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Whether a day, by the year's calendar, is one of them. */
  isOn(day: Date): boolean;
}

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** Words for the values from `least` on. */
  readonly words?: readonly string[];
}

const fields = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  {
    ...{ name: 'month', least: 1, most: 12 },
    words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  // Sunday is 0 and 7.
  { name: 'day of the week', least: 0, most: 7, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const satisfies readonly Field[];

const shortForms: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Reads `minute hour day-of-month month day-of-week` as crontab(5) has it. Answers what is wrong as a text. */
export function readCron(expression: string): Cron | string {
  const text = expression.trim().toLowerCase();
  const parts = (shortForms[text] ?? text).split(/\s+/);
  if (parts.length !== fields.length) {
    return 'expected five fields: minute, hour, day of the month, month, day of the week';
  }
  const read = fields.map((field, index) => readField(field, parts[index] ?? ''));
  const fault = read.find((values) => typeof values === 'string');
  if (fault !== undefined) return fault;
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = read.filter(Array.isArray);
  const isFree = (part: string | undefined) => /^[*?]/.test(part ?? '');
  // Where both kinds of days are named, one of them is enough: so it is in every cron.
  const oneIsFree = isFree(parts[2]) || isFree(parts[4]);
  return {
    minutes,
    hours,
    isOn(day) {
      if (!months.includes(day.getUTCMonth() + 1)) return false;
      const ofMonth = days.includes(day.getUTCDate());
      const ofWeek = weekdays.some((value) => value % 7 === day.getUTCDay());
      return oneIsFree ? ofMonth && ofWeek : ofMonth || ofWeek;
    },
  };
}

/** The values in order, or what is wrong. */
function readField(field: Field, text: string): number[] | string {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const range = readPart(field, part);
    if (range === undefined) return faultOf(field, part);
    for (let value = range.from; value <= range.to; value += range.step) found.add(value);
  }
  return [...found].sort((one, other) => one - other);
}

/** `*`, `5`, `5-10`, each also with `/step`. */
function readPart(field: Field, part: string): { from: number; to: number; step: number } | undefined {
  const match = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d{1,3}))?$/.exec(part);
  if (match === null) return undefined;
  const [, all, first, last, step] = match;
  const from = all === undefined ? valueOf(field, first ?? '') : field.least;
  // A step behind a single value goes on to the end, as in `5/15`.
  const end = all === undefined && (last !== undefined || step === undefined) ? (last ?? first ?? '') : null;
  const to = end === null ? field.most : valueOf(field, end);
  const by = step === undefined ? 1 : Number(step);
  if (from === undefined || to === undefined || from > to || by < 1) return undefined;
  return { from, to, step: by };
}

function valueOf({ least, most, words = [] }: Field, text: string): number | undefined {
  const word = words.indexOf(text);
  const value = word >= 0 ? word + least : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

function faultOf({ name, least, most, words }: Field, part: string): string {
  const range = `${String(least)} to ${String(most)}`;
  const orWords = words === undefined ? '' : ` or ${words[0] ?? ''} to ${words.at(-1) ?? ''}`;
  return (
    `expected ${range}${orWords} for the ${name}, as values, ranges such as 1-5, or *, and behind them /step; ` +
    `got ${JSON.stringify(part.slice(0, 40))}`
  );
}
