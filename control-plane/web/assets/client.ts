// In the browser: looks again when something has changed, follows logs, shows times as a person says them.
import { followLog } from './log.js';

function tellTimes(root: ParentNode): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>('time[data-relative]')) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString();
    time.textContent = relative((Date.now() - at.getTime()) / 1000) ?? at.toLocaleString();
  }
}

function relative(seconds: number): string | undefined {
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${String(Math.floor(seconds))} s ago`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${String(Math.floor(seconds / 3600))} h ago`;
  return undefined;
}

/** Takes over the parts of a page that are different now, and leaves focus where it is. */
async function lookAgain(known: Map<string, string>): Promise<void> {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (answer.redirected) location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const part of document.querySelectorAll<HTMLElement>('[data-live]')) {
    const next = fresh.getElementById(part.id);
    if (next === null || known.get(part.id) === next.innerHTML) continue;
    known.set(part.id, next.innerHTML);
    const focused = part.contains(document.activeElement) ? labelOf(document.activeElement) : undefined;
    part.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
    if (focused !== undefined) {
      [...part.querySelectorAll<HTMLElement>('a, button')]
        .find((element) => labelOf(element) === focused)
        ?.focus();
    }
    tellTimes(part);
  }
}

function labelOf(element: Element | null): string {
  return element?.getAttribute('aria-label') ?? element?.textContent ?? '';
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
      // A look that fails is made up for by the next one: the connection below comes back by itself.
      await lookAgain(known).catch(() => undefined);
    }
    looking = false;
  };
  new EventSource(`/live?view=${encodeURIComponent(view)}`).addEventListener('changed', () => void look());
}

tellTimes(document);
setInterval(() => {
  tellTimes(document);
}, 10_000);
const { view } = document.body.dataset;
if (view !== undefined) followView(view);
const log = document.getElementById('log');
if (log?.dataset['source'] !== undefined) followLog(log, log.dataset['source']);
