import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import {
  formOf,
  gatewayFolder,
  gatewayForTest,
  sandboxDestinations,
  type TestGateway,
} from '../support/gateway.ts';
import { startHttpServer } from '../support/http-server.ts';
import { rawRequest } from '../support/raw-http.ts';
import { sandboxForTest } from '../support/sandbox.ts';

async function doorToAll(more: Record<string, unknown> = {}) {
  const sandbox = await sandboxForTest({
    limits: { dashscopeUploadsPerSecond: 1_000, vectorxUploadsPerSecond: 1_000 },
  });
  const door = await gatewayForTest({ destinations: sandboxDestinations(sandbox), ...more });
  return { sandbox, door };
}

async function upload(url: string, form: FormData, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: 'POST', body: form, headers });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, never>,
  };
}

const NAMES = ['autoglm', 'agent', 'qwen', 'openai'] as const;

test('every shape answers before every destination, whatever that speaks', async () => {
  const { sandbox, door } = await doorToAll();
  const content = 'the same bytes';
  const sha256 = createHash('sha256').update(content).digest('hex');
  for (const name of NAMES) {
    const file = { name: '会议 记录.txt', content };
    const quoted = await upload(`${door.url}/${name}/v1/files`, formOf({ name: 'a "b".txt', content }));
    expect(quoted.body.filename).toBe('a "b".txt');
    const openai = await upload(`${door.url}/${name}/v1/files`, formOf(file));
    expect(openai).toMatchObject({
      status: 200,
      body: { object: 'file', bytes: 14, filename: file.name, sha256, created_at: expect.any(Number) },
    });
    const own = name === 'autoglm' || name === 'agent';
    if (own) expect(openai.body.id).toMatch(/^file-[0-9a-f]{32}$/);
    const vectorx = await upload(`${door.url}/${name}/upload-openai-file`, formOf(file));
    expect(vectorx).toMatchObject({
      status: 200,
      body: {
        code: 0,
        msg: 'success',
        data: {
          object: 'file',
          bytes: 14,
          filename: file.name,
          purpose: expect.any(String),
          status: expect.any(String),
          status_details: null,
        },
      },
    });
    const autoglm = await upload(
      `${door.url}/${name}/agentdr/v1/assistant/upload-mix`,
      formOf(file, {}, 'files'),
      {
        'X-Auth-Appid': 'ignored',
        'X-Auth-Sign': 'ignored',
      },
    );
    expect(autoglm.body).toEqual({
      code: 0,
      msg: 'SUCCESS',
      time: expect.any(Number),
      trace: expect.stringMatching(/^[0-9a-f]{32}$/),
      data: {
        message: '',
        oss_info: [{ filename: file.name, oss_name: expect.any(String), oss_url: expect.any(String) }],
      },
    });
  }
  const received = sandbox.received();
  expect(received).toHaveLength(16);
  for (const file of received) expect(file).toMatchObject({ sha256, bytes: 14 });
  expect(door.incoming()).toEqual([]);
});

test('AutoGLM files come with their URL in every shape, VectorX ids are those of the far side', async () => {
  const { sandbox, door } = await doorToAll();
  const file = { name: 'a.txt', content: 'a' };
  const byOpenai = await upload(`${door.url}/autoglm/v1/files`, formOf(file));
  const byVectorx = await upload(`${door.url}/autoglm/upload-openai-file`, formOf(file));
  const agent = await upload(`${door.url}/agent/v1/aiagent/agents/demo/upload-openai-file`, formOf(file));
  const [first, second, third] = sandbox.received();
  expect(byOpenai.body).toMatchObject({ url: first?.url, ref: first?.url });
  expect(byVectorx.body).toMatchObject({ data: { url: second?.url, id: second?.id } });
  expect(agent.body).toMatchObject({ data: { id: third?.id } });
});

test('purposes: the documented default, the destination’s own, any where none is known', async () => {
  const { sandbox, door } = await doorToAll();
  const told = async (path: string, fields: Record<string, string> = {}) => {
    const name = fields.purpose === 'batch' ? 'a.jsonl' : 'a.txt';
    const { body } = await upload(`${door.url}${path}`, formOf({ name, content: '{}' }, fields));
    const object =
      (body as { data?: { purpose: string }; purpose?: string }).data ?? (body as { purpose?: string });
    return [object.purpose, sandbox.received().at(-1)?.fields];
  };
  expect(await told('/agent/upload-openai-file')).toEqual(['file-extract', { purpose: 'file-extract' }]);
  expect(await told('/openai/upload-openai-file')).toEqual(['user_data', { purpose: 'user_data' }]);
  expect(await told('/openai/v1/files', { purpose: 'batch' })).toEqual(['batch', { purpose: 'batch' }]);
  expect(await told('/qwen/v1/files', { purpose: 'batch' })).toEqual(['batch', { purpose: 'batch' }]);
  expect(await told('/autoglm/v1/files', { purpose: 'anything' })).toEqual(['anything', {}]);
});

test('an expiry reaches a destination that has one, and is refused by one that has not', async () => {
  const { sandbox, door } = await doorToAll();
  const expiry = { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '3600' };
  const form = formOf({ name: 'a.txt', content: 'a' }, { purpose: 'user_data', ...expiry });
  const openai = await upload(`${door.url}/openai/v1/files`, form);
  expect(openai).toMatchObject({ status: 200, body: { expires_at: expect.any(Number) } });
  expect(sandbox.received().at(-1)?.fields).toMatchObject(expiry);
  const qwen = await upload(`${door.url}/qwen/v1/files`, formOf({ name: 'a.txt', content: 'a' }, expiry));
  expect(qwen).toMatchObject({ status: 400, body: { error: { param: 'expires_after' } } });
  const wrong = formOf({ name: 'a.txt', content: 'a' }, { ...expiry, 'expires_after[seconds]': '5' });
  expect((await upload(`${door.url}/openai/v1/files`, wrong)).status).toBe(400);
});

test('hostile names become harmless ones, and bytes tell the type where nobody said it', async () => {
  const { sandbox, door } = await doorToAll();
  const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex');
  await upload(`${door.url}/autoglm/v1/files`, formOf({ name: '../../etc/passwd', content: png }));
  await upload(`${door.url}/autoglm/v1/files`, formOf({ name: 'C:\\Users\\CON.txt', content: 'x' }));
  // As Python's requests sends it: no type at all, the name only in filename*.
  const body = `--b\r\nContent-Disposition: form-data; name="file"; filename*=utf-8''%E6%8A%A5%E5%91%8A.csv\r\n\r\na,b\r\n--b--\r\n`;
  await fetch(`${door.url}/autoglm/v1/files`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  });
  expect(sandbox.received().map(({ filename, contentType }) => [filename, contentType])).toEqual([
    ['passwd', 'image/png'],
    ['_CON.txt', 'text/plain'],
    ['报告.csv', 'text/csv'],
  ]);
});

test('a file beyond a mebibyte goes by way of the disk, unreadable to others, and leaves nothing', async () => {
  const { sandbox, door } = await doorToAll();
  const content = randomBytes(5_000_000);
  const told = await upload(`${door.url}/autoglm/v1/files`, formOf({ name: 'large.bin', content }));
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect(told.body).toMatchObject({ bytes: 5_000_000, sha256 });
  expect(sandbox.received()).toMatchObject([{ filename: 'large.bin', sha256 }]);
  expect(door.incoming()).toEqual([]);
});

test('what a killed door left of uploads under way is gone at the next start', async () => {
  const sandbox = await sandboxForTest();
  const folder = gatewayFolder();
  mkdirSync(join(folder, 'data', 'gateway', 'incoming'), { recursive: true });
  writeFileSync(join(folder, 'data', 'gateway', 'incoming', 'left-behind'), 'x');
  const door = await gatewayForTest(
    { destinations: { agent: sandboxDestinations(sandbox).agent } },
    {},
    folder,
  );
  expect(door.incoming()).toEqual([]);
});

test('fields may stand on either side of the file', async () => {
  const { sandbox, door } = await doorToAll();
  const form = new FormData();
  form.append('purpose', 'batch');
  form.append('file', new File(['{}'], 'a.jsonl'));
  expect((await upload(`${door.url}/openai/v1/files`, form)).body).toMatchObject({ purpose: 'batch' });
  expect(sandbox.received()).toMatchObject([{ fields: { purpose: 'batch' } }]);
});

/** A destination that answers as a test says. */
async function doorTo(
  respond: Parameters<typeof startHttpServer>[0],
  preset: string,
  more: Record<string, unknown> = {},
  env: Record<string, string> = {},
) {
  const far = await startHttpServer(respond);
  const base =
    preset === 'vectorx' || preset === 'autoglm'
      ? { url: `${far.origin}/upload` }
      : { params: { base: far.origin } };
  const token =
    preset === 'autoglm'
      ? { token: { env: 'API_KEY' } }
      : preset === 'vectorx'
        ? {}
        : { token: { env: 'API_KEY' } };
  const door = await gatewayForTest(
    {
      destinations: { far: { preset, ...base, ...token } },
      retry: { attempts: 2, baseDelay: '10ms', maxDelay: '20ms' },
      ...more,
    },
    env,
  );
  return { far, door };
}

const file = { name: 'a.txt', content: 'hello' };
const everyShape = async (door: TestGateway) => ({
  openai: await upload(`${door.url}/v1/files`, formOf(file)),
  vectorx: await upload(`${door.url}/upload-openai-file`, formOf(file)),
  autoglm: await upload(`${door.url}/agentdr/v1/assistant/upload-mix`, formOf(file, {}, 'files')),
});

test('a refusal keeps status, body and Retry-After for OpenAI clients, and becomes a code for the others', async () => {
  const refusal = {
    error: { message: 'bad file', type: 'invalid_request_error', code: 'bad', hint: 'keep me' },
  };
  const { door } = await doorTo(async (visit) => {
    await visit.body();
    visit.json(400, refusal);
  }, 'openai');
  const { openai, vectorx, autoglm } = await everyShape(door);
  expect(openai).toMatchObject({ status: 400, body: { error: { ...refusal.error, param: null } } });
  expect(openai.headers.get('x-slipway-error')).toBe('upstream');
  expect(vectorx).toMatchObject({ status: 200, body: { code: 400, msg: 'bad file', data: refusal } });
  expect(autoglm).toMatchObject({ status: 200, body: { code: 500_000 } });
});

test('DashScope’s other error form keeps its body and gets all four keys', async () => {
  const said = { code: 'InvalidParameter', message: 'no such purpose', request_id: 'r-1' };
  const { door } = await doorTo(async (visit) => {
    await visit.body();
    visit.json(400, said);
  }, 'dashscope');
  const { openai, vectorx } = await everyShape(door);
  expect(openai.body).toEqual({
    ...said,
    error: { message: said.message, type: 'invalid_request_error', param: null, code: said.code },
  });
  expect(vectorx.body).toEqual({ code: 400, msg: '文件上传失败', data: said });
});

test('a refusal inside a 200 is one in every shape, its code the API’s own', async () => {
  const { door } = await doorTo(async (visit) => {
    await visit.body();
    visit.json(200, { code: 400_001, msg: 'file type not allowed', time: 1, trace: 't', data: null });
  }, 'autoglm');
  const { openai, vectorx, autoglm } = await everyShape(door);
  expect(openai).toMatchObject({
    status: 400,
    body: { error: { message: 'file type not allowed', code: 400_001 } },
  });
  expect(vectorx.body).toMatchObject({ code: 400_001, msg: 'file type not allowed' });
  expect(autoglm).toMatchObject({
    status: 200,
    body: { code: 400_001, msg: 'file type not allowed', trace: 't' },
  });
});

test('a VectorX runtime’s refusal goes through as it is', async () => {
  const said = { code: 413, msg: 'too large', data: { error: { message: 'too large' } } };
  const { door } = await doorTo(async (visit) => {
    await visit.body();
    visit.json(200, said);
  }, 'vectorx');
  const { openai, vectorx } = await everyShape(door);
  expect(vectorx.body).toEqual(said);
  expect(openai.status).toBe(413);
});

test('nobody there is 502 and code -1, silence is 504', async () => {
  const gone = await doorTo((visit) => void visit.request.socket.destroy(), 'openai');
  const { openai, vectorx, autoglm } = await everyShape(gone.door);
  expect(openai).toMatchObject({ status: 502, body: { error: { code: 'connection', param: null } } });
  expect(openai.headers.get('x-slipway-error')).toBe('gateway');
  expect(vectorx).toMatchObject({
    status: 200,
    body: { code: -1, msg: expect.stringContaining('connection') },
  });
  expect(autoglm).toMatchObject({ status: 200, body: { code: 500_000 } });
});

test('exhausted accounts and refused credentials are not to be tried again, and the door opens by itself', async () => {
  let open = false;
  const { door, far } = await doorTo(async (visit) => {
    await visit.body();
    if (open)
      visit.json(200, {
        id: 'file-1',
        object: 'file',
        bytes: 5,
        created_at: 1,
        filename: 'a.txt',
        purpose: 'user_data',
      });
    else visit.json(401, { error: { message: 'wrong key sk-of-the-door', code: 'invalid_api_key' } });
  }, 'openai');
  const refused = await upload(`${door.url}/v1/files`, formOf(file));
  expect(refused).toMatchObject({ status: 401, body: { error: { code: 'invalid_api_key' } } });
  expect(refused.headers.get('x-should-retry')).toBe('false');
  expect(JSON.stringify(refused.body)).not.toContain('sk-of-the-door');
  const asked = far.visits();
  const again = await upload(`${door.url}/v1/files`, formOf(file));
  // Not asked again at once, and told the same.
  expect(again).toMatchObject({ status: 401, body: { error: { code: 'invalid_api_key' } } });
  expect(far.visits()).toBeLessThanOrEqual(asked + 2);
  open = true;
  await vi.waitFor(
    async () => expect((await upload(`${door.url}/v1/files`, formOf(file))).status).toBe(200),
    { interval: 200 },
  );
});

test('patience ends the wait for a new try; a longer Retry-After is passed on at once', async () => {
  const { door, far } = await doorTo(
    async (visit) => {
      await visit.body();
      visit.response.setHeader('retry-after', '120');
      visit.json(429, { error: { message: 'slow down', code: 'rate_limit_exceeded' } });
    },
    'openai',
    { gateway: { patience: '5s' } },
  );
  const told = await upload(`${door.url}/v1/files`, formOf(file));
  expect(told).toMatchObject({ status: 429, body: { error: { code: 'rate_limit_exceeded' } } });
  expect(Number(told.headers.get('retry-after'))).toBeGreaterThan(100);
  const next = await upload(`${door.url}/v1/files`, formOf(file));
  expect(next.status).toBe(429);
  // The second one was not sent: the far side had asked to be left alone.
  expect(far.visits()).toBe(1);
});

test('a failure for now is tried again within the patience', async () => {
  const { door, far } = await doorTo(
    async (visit) => {
      await visit.body();
      if (visit.attempt < 3) visit.json(503, { error: { message: 'busy' } });
      else
        visit.json(200, {
          id: 'file-9',
          object: 'file',
          bytes: 5,
          created_at: 7,
          filename: 'a.txt',
          purpose: 'user_data',
          status: 'processed',
        });
    },
    'openai',
    { retry: { attempts: 5, baseDelay: '10ms', maxDelay: '20ms' } },
  );
  expect(await upload(`${door.url}/v1/files`, formOf(file))).toMatchObject({
    status: 200,
    body: { id: 'file-9', created_at: 7 },
  });
  expect(far.visits()).toBe(3);
});

test('a client that goes away ends its upload at the far side within a second or so, and leaves nothing', async () => {
  let gone = false;
  const { door, far } = await doorTo((visit) => {
    visit.request.resume();
    visit.request.socket.once('close', () => {
      gone = true;
    });
  }, 'openai');
  const leaving = new AbortController();
  const content = randomBytes(2_000_000);
  const going = fetch(`${door.url}/v1/files`, {
    method: 'POST',
    body: formOf({ name: 'a.bin', content }),
    signal: leaving.signal,
  });
  going.catch(() => undefined);
  await vi.waitFor(() => expect(far.visits()).toBe(1));
  expect(door.incoming()).toHaveLength(1);
  leaving.abort();
  await vi.waitFor(() => expect(gone).toBe(true));
  await vi.waitFor(() => expect(door.incoming()).toEqual([]));
});

test('a client that goes away while it still sends leaves nothing', async () => {
  const { door, far } = await doorTo(() => undefined, 'openai');
  const socket = connect(Number(new URL(door.url).port), '127.0.0.1');
  const head =
    'POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n';
  socket.write(`${head}--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n`);
  socket.write(randomBytes(2_000_000));
  await vi.waitFor(() => expect(door.incoming()).toHaveLength(1));
  socket.resetAndDestroy();
  await vi.waitFor(() => expect(door.incoming()).toEqual([]));
  expect(far.visits()).toBe(0);
});

test('a client that has only finished sending gets its answer', async () => {
  const { door } = await doorTo(async (visit) => {
    await visit.body();
    await new Promise((resolve) => setTimeout(resolve, 100));
    visit.json(200, {
      id: 'file-9',
      object: 'file',
      bytes: 5,
      created_at: 7,
      filename: 'a.txt',
      purpose: 'user_data',
    });
  }, 'openai');
  const body =
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello\r\n--b--\r\n';
  const head = `POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  const socket = connect({ port: Number(new URL(door.url).port), host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  socket.end(`${head}${body}`);
  await vi.waitFor(() => expect(answer).toContain('"file-9"'));
  expect(answer).toMatch(/^HTTP\/1.1 200/);
  socket.destroy();
});

test('a stop lets uploads finish, and refuses what comes meanwhile', async () => {
  const { promise: mayAnswer, resolve: answerNow } = Promise.withResolvers<void>();
  const { door, far } = await doorTo(async (visit) => {
    await visit.body();
    await mayAnswer;
    visit.json(200, {
      id: 'file-9',
      object: 'file',
      bytes: 5,
      created_at: 7,
      filename: 'a.txt',
      purpose: 'user_data',
    });
  }, 'openai');
  const uploading = upload(`${door.url}/v1/files`, formOf(file));
  await vi.waitFor(() => expect(far.visits()).toBe(1));
  const stopping = door.stop();
  answerNow();
  expect((await uploading).status).toBe(200);
  expect(await stopping).toBe(true);
  await expect(fetch(door.url)).rejects.toThrow();
});

test('the log tells what was uploaded where, and no secret', async () => {
  const { sandbox, door } = await doorToAll();
  await upload(`${door.url}/openai/v1/files`, formOf(file), { 'x-request-id': 'my-id.1' });
  const line = door.log.find(({ message }) => message === 'answered');
  expect(line).toMatchObject({
    requestId: 'my-id.1',
    method: 'POST',
    path: '/openai/v1/files',
    route: '/openai',
    status: 200,
    destination: 'openai',
    file: { name: 'a.txt', bytes: 5 },
    durationMs: expect.any(Number),
  });
  expect(JSON.stringify(door.log)).not.toContain('sk-of-the-door');
  expect(sandbox.received()).toHaveLength(1);
  const odd = await rawRequest(door.url, [
    'GET /v1/files HTTP/1.1\r\nHost: localhost\r\nx-request-id: a b\r\nConnection: close\r\n\r\n',
  ]);
  expect(odd.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});
