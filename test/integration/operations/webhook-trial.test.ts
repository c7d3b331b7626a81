import { expect, test } from 'vitest';
import { webhookSchema } from '../../../src/notify/options.ts';
import { tryWebhook } from '../../../src/operations/webhooks/webhook-test.ts';
import { SENDERS } from '../../support/notify-rig.ts';
import { SECRET, startReceiver } from '../../support/webhook-receiver.ts';

test('the URL of a configured webhook is tried with its secret and headers, any other with a secret of its own', async () => {
  const tokens: (string | undefined)[] = [];
  const receiver = await startReceiver(({ request }) => {
    tokens.push(request.headers.authorization);
    return null;
  });
  const webhook = webhookSchema.parse({
    ...{ name: 'pipeline', url: receiver.origin, secret: SECRET, headers: { authorization: 'Bearer t' } },
  });
  const config = { webhooks: [webhook], sources: {} };
  expect(await tryWebhook(`${receiver.origin}/`, config, SENDERS)).toMatchObject({
    ...{ endpoint: 'pipeline', acknowledged: true, secret: null },
  });
  expect(tokens).toEqual(['Bearer t']);
  // At the top level: whoever reads no further than the type sees it.
  const [{ body } = { body: null }] = receiver.arrived;
  expect(Object.keys(body ?? {})).toEqual(['type', 'timestamp', 'test', 'data']);
  expect(body).toMatchObject({ type: 'file.uploaded', test: true });
  expect(await tryWebhook(`${receiver.origin}/other`, config, SENDERS)).toMatchObject({
    ...{ acknowledged: false, status: 401, secret: expect.stringMatching(/^whsec_/) },
  });
});

test('a URL with a password is refused, and the password is not repeated', async () => {
  const trial = tryWebhook('http://me:hunter2@127.0.0.1:1/', { webhooks: [], sources: {} }, SENDERS);
  await expect(trial).rejects.toMatchObject({
    code: 'usage',
    message: expect.not.stringContaining('hunter2'),
  });
});
