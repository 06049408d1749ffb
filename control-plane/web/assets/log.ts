// The log of a run in the browser: sections by state, colours of terminals, at the end as long as one looks there.

interface LogEvent {
  /** Attempt. */
  readonly a: number;
  /** State. */
  readonly s: string;
  /** Text. */
  readonly m: string;
}

/** Lines kept on the page; older ones are a click away. */
const mostLines = 20_000;

export function followLog(container: HTMLElement, source: string): void {
  const events = new EventSource(source);
  let waiting: LogEvent[] = [];
  let place = '';
  let block: HTMLPreElement | undefined;
  let classes = '';
  let lines = 0;

  function section({ a, s }: LogEvent): HTMLPreElement {
    const title = document.createElement('h3');
    title.textContent = a > 1 ? `${s} (attempt ${String(a)})` : s;
    const pre = document.createElement('pre');
    container.append(title, pre);
    return pre;
  }

  function append(event: LogEvent): void {
    const here = `${String(event.a)} ${event.s}`;
    if (here !== place || block === undefined) {
      place = here;
      classes = '';
      block = section(event);
    }
    for (const part of event.m.replaceAll('\r\n', '\n').split(sequence)) {
      const codes = part.startsWith(escape) ? /^.\[([\d;]*)m$/.exec(part)?.[1] : undefined;
      if (codes !== undefined) classes = classesOf(codes, classes);
      else if (part !== '' && !part.startsWith(escape)) block.append(styled(part, classes));
    }
    lines += event.m.split('\n').length - 1;
  }

  function shorten(): void {
    while (lines > mostLines && block !== undefined) {
      const oldest = [...container.querySelectorAll('pre')].find((pre) => pre.firstChild !== null);
      if (oldest?.firstChild == null) return;
      lines -= (oldest.firstChild.textContent ?? '').split('\n').length - 1;
      oldest.firstChild.remove();
    }
  }

  function show(): void {
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 60;
    for (const event of waiting) append(event);
    waiting = [];
    shorten();
    if (atEnd && document.activeElement?.closest('.history') == null)
      window.scrollTo(0, document.documentElement.scrollHeight);
  }

  events.addEventListener('message', ({ data }: MessageEvent<string>) => {
    if (waiting.length === 0) requestAnimationFrame(show);
    waiting.push(JSON.parse(data) as LogEvent);
  });
  events.addEventListener('end', () => {
    events.close();
    container.classList.add('ended');
  });
}

/** Escape sequences; those that are not colours are left out. */
const escape = '\u001b';
const sequence = new RegExp(`(${escape}\\[[\\d;?]*[A-Za-z]|${escape}\\][^\\u0007]*\\u0007)`);
const colours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

function classesOf(codes: string, before: string): string {
  let now = before.split(' ').filter((name) => name !== '');
  for (const code of (codes === '' ? '0' : codes).split(';').map(Number)) {
    const colour = colours[code % 10];
    const isColour = (code >= 30 && code <= 37) || (code >= 90 && code <= 97);
    if (code === 0) now = [];
    else if (code === 1) now.push('bold');
    else if (code === 2) now.push('dim');
    else if (code === 22) now = now.filter((name) => name !== 'bold' && name !== 'dim');
    else if (code === 39) now = now.filter((name) => !colours.includes(name));
    else if (isColour && colour !== undefined)
      now = [...now.filter((name) => !colours.includes(name)), colour];
  }
  return now.join(' ');
}

function styled(text: string, classes: string): Node {
  const node = document.createTextNode(text);
  if (classes === '') return node;
  const span = document.createElement('span');
  span.className = classes;
  span.append(node);
  return span;
}
