// The buttons of a run. What is off stays in its place and says why, to a pointer, the keyboard and a screen reader.
import { actionsFor, whyNot, type RunAction } from '../../runs/actions.js';
import type { RunRow } from '../../store/schema.js';
import { Off } from './parts.js';

interface RunActionsProperties {
  readonly run: RunRow;
  /** Address of the run. */
  readonly base: string;
  /** Why nothing at all may be done; null when something may. */
  readonly refused: string | null;
}

const primary: readonly RunAction[] = ['confirm'];

export function RunActions({ run, base, refused }: RunActionsProperties) {
  return (
    <div class="actions" role="group" aria-label="What may be done with this run">
      {actionsFor(run).map((action) => {
        const off = refused ?? whyNot(action, run);
        if (off !== null)
          return (
            <Off id={action} why={off}>
              {action}
            </Off>
          );
        if (action === 'stop') return <Stop base={base} />;
        return (
          <form method="post" action={`${base}/${action}`}>
            <button id={`do-${action}`} class={primary.includes(action) ? '' : 'quiet'}>
              {action}
            </button>
          </form>
        );
      })}
    </div>
  );
}

/** Asks for a note first: whoever looks at the run later wants to know why. */
function Stop({ base }: { readonly base: string }) {
  return (
    <details class="drop" id="stop">
      <summary class="button danger">stop …</summary>
      <form method="post" action={`${base}/stop`} class="fields">
        <p class="facts">The tool is asked to end; after a minute it is ended.</p>
        <label>
          Why (optional) <input name="note" maxlength={500} autocomplete="off" />
        </label>
        <button class="danger">stop the run</button>
      </form>
    </details>
  );
}
