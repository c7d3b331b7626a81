/** The rival a few lines away: Node's own fetch and FormData, no queue, nothing durable, no retry, no signature check. */
import { openAsBlob, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FIELD, uploadHeaders } from './autoglm-api.ts';
import { assertAccepted, type RivalTask, sendAll } from './rival.ts';

const { folder, uploadUrl, concurrency } = JSON.parse(process.argv[2] ?? '') as RivalTask;

const result = await sendAll(readdirSync(folder), concurrency, async (name) => {
  const form = new FormData();
  form.append(FIELD, await openAsBlob(join(folder, name)), name);
  const response = await fetch(uploadUrl, { method: 'POST', headers: uploadHeaders(), body: form });
  assertAccepted(await response.json());
});
process.stdout.write(JSON.stringify(result));
