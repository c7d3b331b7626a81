// Receives Slipway's webhooks: believes only what is signed, does each file once however often it is told, and builds the
// next request of a pipeline from it. Node 22 or newer, no packages.
//
//   HOOK_SECRET=whsec_… PORT=8000 OUT=requests.jsonl node receiver.mjs
//
// Every line of OUT is one request to make. The file is also the memory of what was done: a line is on disk before the
// delivery is acknowledged, so neither a crash here nor a repeat from there loses or doubles one.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const { HOOK_SECRET = '', PORT = '8000', OUT = 'requests.jsonl' } = process.env;
const KEYS = HOOK_SECRET.split(' ').map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
const TOLERANCE_SECONDS = 5 * 60;

const done = new Set();
if (existsSync(OUT)) {
  for (const line of readFileSync(OUT, 'utf8').split('\n')) {
    // A crash may have left half a line.
    if (line.endsWith('}')) done.add(JSON.parse(line).key);
  }
}

/** Throws unless one of our secrets signed this body, just now. */
function verify(headers, body) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) throw new Error('too old');
  const given = String(headers['webhook-signature']).split(' ');
  for (const key of KEYS) {
    const expected = Buffer.from(
      `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
    );
    for (const signature of given) {
      const bytes = Buffer.from(signature);
      if (bytes.length === expected.length && timingSafeEqual(bytes, expected)) return;
    }
  }
  throw new Error('no signature fits');
}

/** What comes next for a file: a document is cited by its id, an image by its URL. */
function requestFor({ ref, url }) {
  if (ref?.startsWith('fileid://')) {
    return {
      model: 'qwen-doc-turbo',
      messages: [
        { role: 'system', content: ref },
        { role: 'user', content: [{ type: 'text', text: '请分析这个文档' }] },
      ],
    };
  }
  return { tool: 'image-recognition', image_url: url };
}

function handle(event) {
  // `slipway webhooks test`: no file is behind it.
  if (event.test === true) return;
  const receipts = event.type === 'files.settled' ? event.data.receipts : [event.data];
  const uploaded = receipts.filter(({ status }) => status === 'uploaded');
  const news = uploaded.filter(({ id, gen }) => !done.has(`${id}-${gen}`));
  if (news.length === 0) return;
  const lines = news.map((receipt) => {
    const key = `${receipt.id}-${receipt.gen}`;
    return JSON.stringify({ key, path: receipt.path, request: requestFor(receipt) });
  });
  const file = openSync(OUT, 'a');
  try {
    writeSync(file, `\n${lines.join('\n')}`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  for (const { id, gen } of news) done.add(`${id}-${gen}`);
}

const server = createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    try {
      verify(request.headers, body);
    } catch {
      response.writeHead(401).end();
      return;
    }
    handle(JSON.parse(body));
    response.writeHead(204).end();
  } catch (error) {
    // Anything but 2xx: Slipway tries again.
    console.error(error);
    response.writeHead(500).end();
  }
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
