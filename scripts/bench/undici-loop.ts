/** The fastest loop worth writing: undici, the file read on the spot, the whole body one Buffer; nothing durable. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'undici';
import { FIELD, uploadHeaders } from './autoglm-api.ts';
import { assertAccepted, type RivalTask, sendAll } from './rival.ts';

const { folder, uploadUrl, concurrency } = JSON.parse(process.argv[2] ?? '') as RivalTask;
const { origin, pathname } = new URL(uploadUrl);
const pool = new Pool(origin, { connections: concurrency, pipelining: 1, allowH2: false });
const boundary = 'bench-0123456789abcdef';

const result = await sendAll(readdirSync(folder), concurrency, async (name) => {
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${FIELD}"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const body = Buffer.concat([
    Buffer.from(head),
    readFileSync(join(folder, name)),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const answer = await pool.request({
    path: pathname,
    method: 'POST',
    headers: { ...uploadHeaders(), 'content-type': `multipart/form-data; boundary=${boundary}` },
    body,
  });
  assertAccepted(await answer.body.json());
});
process.stdout.write(JSON.stringify(result));
await pool.close();
