// `npm start`: builds what is missing or changed, then becomes `poolwright local`.
import { runSteps } from './stamps.mjs';

await runSteps(['programs', 'launcher', 'web', 'database']);
// In this very process: one tree, so that Ctrl-C and exit codes need no passing on.
process.argv = [process.execPath, 'poolwright', 'local', ...process.argv.slice(2)];
await import(new URL('../dist/control-plane/main.js', import.meta.url).href);
