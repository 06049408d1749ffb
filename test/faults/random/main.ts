// `npm run test:faults -- [--seed N] [--rounds M] [--lanes L] [--fleet KIND] [--json]`: performs rounds of random faults and says
// which seeds did not hold. See test/faults/README.md.
import { parseArguments, usage, UsageFault } from './arguments.js';
import { performAll, schedulesOf } from './lanes.js';
import { createReporter } from './report.js';

async function main(words: readonly string[]): Promise<number> {
  let options;
  try {
    options = parseArguments(words);
  } catch (error) {
    if (!(error instanceof UsageFault)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const reporter = createReporter(options, {
    answer: (text) => process.stdout.write(text),
    progress: (text) => process.stderr.write(text),
  });
  const stop = new AbortController();
  const onSignal = () => {
    stop.abort();
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  await performAll(schedulesOf(options), options.lanes, reporter, stop.signal);
  return reporter.close(stop.signal.aborted);
}

process.exitCode = await main(process.argv.slice(2));
