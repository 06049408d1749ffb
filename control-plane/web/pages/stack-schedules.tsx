// The schedules by which a stack's runs and tasks start by themselves: when next, and what the last time led to.
import type { Context } from '../../context.js';
import { listSchedules } from '../../stacks/schedules.js';
import type { StackRow } from '../../store/schema.js';
import type { ScheduleRow } from '../../store/stack-tables.js';
import { Empty, Live, Time } from '../layout.js';
import { Cell, Row, Table } from './table.js';

interface StackSchedulesProperties {
  readonly context: Context;
  readonly stack: StackRow;
}

export async function StackSchedules({ context, stack }: StackSchedulesProperties) {
  const schedules = await listSchedules(context, stack.id);
  return (
    <section aria-labelledby="schedules-title">
      <h2 id="schedules-title">Schedules</h2>
      <p class="facts">Runs and tasks of this stack that start by themselves at given times.</p>
      <Live id="schedules">
        {schedules.length === 0 ? (
          <Empty>
            Nothing starts at given times. Make a schedule with{' '}
            <code>poolwright stack schedule add {stack.id} --cron '0 4 * * *'</code>.
          </Empty>
        ) : (
          <div class="scroll">
            <Table columns={['Starts', 'When', 'Next', 'Last', 'What it led to', 'Made']}>
              {schedules.map((schedule) => (
                <Schedule schedule={schedule} stack={stack} />
              ))}
            </Table>
          </div>
        )}
      </Live>
    </section>
  );
}

function Schedule({ schedule, stack }: { readonly schedule: ScheduleRow; readonly stack: StackRow }) {
  const { name, command, cron, timezone, at, next_at, last_at, last_run, last_outcome } = schedule;
  return (
    <Row id={schedule.id}>
      <Cell name="Starts">
        {command === null ? 'a tracked run' : <code>{command.split('\n', 1)[0]}</code>}
        {name === '' ? null : <span class="facts">{name}</span>}
      </Cell>
      <Cell name="When">
        {at === null ? (
          <>
            {cron.map((expression, index) => (
              <>
                {index === 0 ? '' : ', '}
                <code>{expression}</code>
              </>
            ))}{' '}
            <span class="facts">{timezone}</span>
          </>
        ) : (
          <>
            once, <Time at={at} />
          </>
        )}
      </Cell>
      <Cell name="Next">
        {next_at === null ? <span class="facts">never again</span> : <Time at={next_at} />}
      </Cell>
      <Cell name="Last">{last_at === null ? <span class="facts">not yet</span> : <Time at={last_at} />}</Cell>
      <Cell name="What it led to">
        {last_outcome === null ? (
          <span class="facts">–</span>
        ) : last_run !== null && last_outcome.endsWith(last_run) ? (
          <a href={`/stacks/${stack.id}/runs/${last_run}`}>{last_outcome}</a>
        ) : (
          last_outcome
        )}
      </Cell>
      <Cell name="Made">
        <Time at={schedule.created_at} />
        {schedule.created_by === null ? null : <span class="facts">by {schedule.created_by}</span>}
      </Cell>
    </Row>
  );
}
