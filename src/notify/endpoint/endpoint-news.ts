import type { EndpointState } from '../../domain/delivery.ts';
import type { Log } from '../../domain/log.ts';
import { formatDuration } from '../../platform/units.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointNews } from './endpoint-progress.ts';

interface Speaker {
  readonly endpoint: Pick<Endpoint, 'name'>;
  readonly source: string;
  readonly log: Log;
}

/** Says what has become of an endpoint. With names and times in the words: a terminal shows no fields. */
export function sayNews({ endpoint, source, log }: Speaker, news: EndpointNews, nowMs: number): void {
  const { name } = endpoint;
  const facts = { source, endpoint: name };
  switch (news.kind) {
    case 'given-up': {
      const { id, last } = news.delivery;
      log.error(
        { ...facts, id, reason: last?.summary },
        'a webhook delivery is given up; slipway webhooks replay --failed sends it again',
      );
      return;
    }
    case 'disabled':
      sayDisabled({ endpoint, source, log }, news.reason);
      return;
    case 'failed':
    case 'rests': {
      const { reason, nextAtMs } = news;
      const nextAttempt = new Date(nextAtMs).toISOString();
      const next = `next attempt in ${formatDuration(Math.max(0, nextAtMs - nowMs))} (${nextAttempt})`;
      const fields = { ...facts, reason, nextAttempt };
      if (news.kind === 'rests')
        log.warn(fields, `webhook ${name} fails (${reason}); it gets a rest, ${next}`);
      else if (news.loud) log.warn(fields, `webhook ${name} fails (${reason}); ${next}`);
      else log.debug(fields, 'a webhook delivery has failed');
      return;
    }
    case 'back':
      log.info(facts, 'webhook endpoint is back');
  }
}

/** At every start: what was said days ago is forgotten. */
export function sayStillDisabled(speaker: Speaker, state: EndpointState): void {
  if (state.disabled !== null) sayDisabled(speaker, state.disabled.reason);
}

function sayDisabled({ endpoint: { name }, source, log }: Speaker, reason: string): void {
  log.error(
    { source, endpoint: name, reason },
    `WEBHOOK ENDPOINT DISABLED: ${name} (${reason}); its events are kept: slipway webhooks replay --failed ${name} goes on with it`,
  );
}
