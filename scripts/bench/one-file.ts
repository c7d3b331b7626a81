/** The same as one-file.py, for machines without Python: one process for one file. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { FIELD, uploadHeaders } from './autoglm-api.ts';
import { assertAccepted } from './rival.ts';

const [tokenUrl = '', uploadUrl = '', path = ''] = process.argv.slice(2);
const token = (await (await fetch(tokenUrl)).text()).trim();
const form = new FormData();
form.append(FIELD, new Blob([readFileSync(path)]), basename(path));
const headers = { ...uploadHeaders(), Authorization: token };
const answer: unknown = await (await fetch(uploadUrl, { method: 'POST', headers, body: form })).json();
assertAccepted(answer);
process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
