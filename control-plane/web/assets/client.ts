// In the browser: looks again when something has changed, follows logs, shows times as a person says them.
import { Idiomorph } from 'idiomorph';
import { duration } from '../words.js';
import { followLog } from './log.js';
import { openStream } from './stream.js';

function tellTimes(root: ParentNode): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>('time[data-relative]')) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString();
    time.textContent = relative((Date.now() - at.getTime()) / 1000) ?? dates.format(at);
  }
  for (const time of root.querySelectorAll<HTMLTimeElement>('time[data-elapsed]')) {
    time.textContent = `${duration(Date.now() - new Date(time.dateTime).getTime())} so far`;
  }
}

const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Undefined for what is more than a week away: then the date says more. */
function relative(seconds: number): string | undefined {
  if (Math.abs(seconds) >= 7 * 86_400) return undefined;
  if (Math.abs(seconds) < 5) return 'just now';
  const span = largestUnit(Math.abs(seconds));
  return seconds < 0 ? `in ${span}` : `${span} ago`;
}

function largestUnit(seconds: number): string {
  if (seconds < 60) return `${String(Math.floor(seconds))} s`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))} min`;
  if (seconds < 2 * 86_400) return `${String(Math.floor(seconds / 3600))} h`;
  return `${String(Math.floor(seconds / 86_400))} days`;
}

/** Takes over the parts of a page that are different now; what is typed, open or focused stays so. */
async function lookAgain(known: Map<string, string>): Promise<void> {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (answer.redirected) location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const part of document.querySelectorAll<HTMLElement>('[data-live]')) {
    const next = fresh.getElementById(part.id);
    if (next === null || known.get(part.id) === next.innerHTML) continue;
    known.set(part.id, next.innerHTML);
    await Idiomorph.morph(part, next, {
      morphStyle: 'outerHTML',
      ignoreActiveValue: true,
      restoreFocus: true,
      callbacks: {
        // What a person has opened stays open.
        beforeAttributeUpdated: (name: string, node: Element) =>
          !(name === 'open' && node.matches('details')),
      },
    });
    tellTimes(part);
  }
}

function followView(view: string): void {
  const known = new Map<string, string>();
  let looking = false;
  let again = false;
  const look = async () => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    for (let first = true; first || again; first = false) {
      again = false;
      // A look that fails is made up for by the next one: the stream below comes back by itself.
      await lookAgain(known).catch(() => undefined);
    }
    looking = false;
  };
  openStream({
    address: () => `/live?view=${encodeURIComponent(view)}`,
    on: { changed: () => void look() },
    // Who is signed out by now sees the page that says so.
    onFault: (refused) => {
      if (refused) void look();
    },
  });
}

tellTimes(document);
setInterval(() => {
  tellTimes(document);
}, 1000);
const { view } = document.body.dataset;
if (view !== undefined) followView(view);
const log = document.getElementById('log');
if (log?.dataset['source'] !== undefined) followLog(log, log.dataset['source']);
