// What a stack has besides runs: the environment of its runs, and the webhooks by which Git servers start them.
import type { Context } from '../../context.js';
import { listVariables } from '../../stacks/variables.js';
import type { StackRow } from '../../store/schema.js';
import { listWebhooks } from '../../webhooks/webhooks.js';
import { Empty, Live, Time } from '../layout.js';
import { Fact } from './stack.js';
import { Cell, Row, Table } from './table.js';

interface SettingsProperties {
  readonly context: Context;
  readonly stack: StackRow;
}

export async function StackEnvironment({ context, stack }: SettingsProperties) {
  const variables = await listVariables(context, stack.id);
  return (
    <section aria-labelledby="environment-title">
      <h2 id="environment-title">Environment</h2>
      <p class="facts">
        Variables of every run of this stack. What is sealed only the pool's workers can read.
      </p>
      <Live id="environment">
        {variables.length === 0 ? (
          <Empty>
            No variables. Set one with <code>poolwright stack config set {stack.id} NAME</code>.
          </Empty>
        ) : (
          <dl class="metadata panel">
            {variables.map(({ name, kind, value }) => (
              <Fact name={name}>
                {kind === 'plain' ? (
                  <code>{value}</code>
                ) : (
                  <span class="facts">sealed for the pool, not readable here</span>
                )}
              </Fact>
            ))}
          </dl>
        )}
      </Live>
    </section>
  );
}

export async function StackWebhooks({ context, stack }: SettingsProperties) {
  const webhooks = await listWebhooks(context, stack.id);
  return (
    <section aria-labelledby="webhooks-title">
      <h2 id="webhooks-title">Webhooks</h2>
      <p class="facts">
        A Git server that tells of a push starts a run of this stack. Where each is told, and with which
        secret, <code>poolwright stack webhook add {stack.id}</code> says once.
      </p>
      <Live id="webhooks">
        {webhooks.length === 0 ? (
          <Empty>
            {stack.repository === null ? (
              'This stack has no repository: its workspaces are uploaded, so no push concerns it.'
            ) : (
              <>
                No Git server tells this stack of pushes. Make a webhook with{' '}
                <code>poolwright stack webhook add {stack.id} --provider github</code>.
              </>
            )}
          </Empty>
        ) : (
          <div class="scroll">
            <Table columns={['Git server', 'Address', 'Last delivery', 'What it led to', 'Made']}>
              {webhooks.map((webhook) => (
                <Row id={webhook.id}>
                  <Cell name="Git server">{webhook.provider}</Cell>
                  <Cell name="Address">
                    <code>/webhooks/{webhook.id}</code>
                  </Cell>
                  <Cell name="Last delivery">
                    {webhook.last_delivery_at === null ? (
                      <span class="facts">none yet</span>
                    ) : (
                      <Time at={webhook.last_delivery_at} />
                    )}
                  </Cell>
                  <Cell name="What it led to">{webhook.last_outcome ?? <span class="facts">–</span>}</Cell>
                  <Cell name="Made">
                    <Time at={webhook.created_at} />
                    {webhook.created_by === null ? null : <span class="facts">by {webhook.created_by}</span>}
                  </Cell>
                </Row>
              ))}
            </Table>
          </div>
        )}
      </Live>
    </section>
  );
}
