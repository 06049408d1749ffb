// A stream of events that comes back. After a broken line a browser does that by itself; after an answer that is a
// refusal, as of too many requests, it never would.

/** Milliseconds; up to half as much more, so that pages which were refused together do not come back together. */
const pauseAfterRefusal = 5000;

export interface StreamOptions {
  /** `last`: id of the last event that came, '' before the first one with an id. */
  readonly address: (last: string) => string;
  /** By name of the event; `message` for those without a name. */
  readonly on: Readonly<Record<string, (event: MessageEvent<string>) => void>>;
  /** The line is broken; or the stream was refused, and is asked for again after a pause. */
  readonly onFault?: (refused: boolean) => void;
}

/** Answers what ends it. */
export function openStream({ address, on, onFault }: StreamOptions): () => void {
  let last = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource;
  const open = () => {
    source = new EventSource(address(last));
    for (const [name, heard] of Object.entries(on)) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId !== '') last = event.lastEventId;
        heard(event);
      });
    }
    source.addEventListener('error', () => {
      const refused = source.readyState === EventSource.CLOSED;
      if (refused) timer = setTimeout(open, pauseAfterRefusal * (1 + Math.random() / 2));
      onFault?.(refused);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
