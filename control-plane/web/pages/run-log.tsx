// Where the log of a run is shown; assets/log.ts fills it.
export function RunLog({ base }: { readonly base: string }) {
  return (
    <section aria-labelledby="log-title" class="log">
      <div class="heading">
        <h2 id="log-title">Log</h2>
        <p class="facts links">
          <span data-log="status" role="status"></span>
          <a href={`${base}/log.txt`}>as text</a>
          <a href={`${base}/log.txt?download`}>download</a>
        </p>
      </div>
      <div class="tools" role="group" aria-label="Of the log">
        <span class="chips" data-log="phases"></span>
        <span class="find">
          <input data-log="search" type="search" placeholder="Search the log" aria-label="Search the log" />
          <output data-log="count" class="facts"></output>
          <button type="button" class="quiet" data-log="previous" aria-label="Previous match">
            ↑
          </button>
          <button type="button" class="quiet" data-log="next" aria-label="Next match">
            ↓
          </button>
          <button type="button" class="quiet" data-log="follow" aria-pressed="true">
            follow
          </button>
        </span>
      </div>
      <div
        id="log"
        class="empty"
        data-source={`${base}/log`}
        role="log"
        aria-live="off"
        aria-labelledby="log-title"
        tabindex={0}
      ></div>
      <noscript>
        The log follows the run when scripts are allowed; <a href={`${base}/log.txt`}>as text</a> it needs
        none.
      </noscript>
    </section>
  );
}
