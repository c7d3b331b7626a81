import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { formOf, gatewayForTest, sandboxDestinations, type TestGateway } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-http.ts';
import { sandboxForTest } from '../support/sandbox.ts';

const PATHS = {
  openai: { path: '/v1/files', field: 'file' },
  vectorx: { path: '/upload-openai-file', field: 'file' },
  autoglm: { path: '/agentdr/v1/assistant/upload-mix', field: 'files' },
} as const;
type ShapeName = keyof typeof PATHS;
const SHAPES = Object.keys(PATHS) as ShapeName[];

/** A door before DashScope that takes little, and the far side's count of requests. */
async function smallDoor(more: Record<string, unknown> = {}) {
  const sandbox = await sandboxForTest();
  const { qwen } = sandboxDestinations(sandbox);
  const door = await gatewayForTest({
    destinations: { qwen },
    gateway: { maxBytes: '200KB', maxJsonBytes: '100KB', ...more },
    timeouts: { idle: '30s' },
  });
  return { sandbox, door };
}

interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

async function post(door: TestGateway, path: string, init: RequestInit): Promise<Told> {
  const answer = await fetch(`${door.url}${path}`, { method: 'POST', ...init });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

/** Bytes of a multipart body, whatever is in them. */
function raw(parts: readonly string[], end = true): { body: string; headers: Record<string, string> } {
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('') + (end ? '--b--\r\n' : '');
  return { body, headers: { 'content-type': 'multipart/form-data; boundary=b' } };
}

const part = (field: string, content = 'hello', filename: string | null = 'a.txt'): string =>
  `Content-Disposition: form-data; name="${field}"${filename === null ? '' : `; filename="${filename}"`}\r\nContent-Type: text/plain\r\n\r\n${content}`;

/** The same refusal in the caller's own words. */
function expectRefusal(
  shape: ShapeName,
  told: Told,
  status: number,
  code: string,
  param: string | null = null,
): void {
  expect(told.status).toBe(status);
  expect(told.headers.get('x-slipway-error')).toBe('gateway');
  if (shape === 'openai') {
    expect(Object.keys(told.body)).toEqual(['error']);
    expect(told.body.error).toEqual({ message: expect.any(String), type: expect.any(String), param, code });
  } else if (shape === 'vectorx')
    expect(told.body).toEqual({ code: status, msg: expect.stringMatching(/./) });
  else expect(told.body).toMatchObject({ code: 400_003, msg: expect.stringMatching(/./) });
}

interface Row {
  readonly name: string;
  readonly status: number;
  readonly code: string;
  readonly param?: string | null;
  readonly send: (field: string) => RequestInit;
}

const ROWS: readonly Row[] = [
  {
    name: 'no file',
    status: 400,
    code: 'missing_file',
    param: 'file',
    send: () => raw([part('purpose', 'batch', null)]),
  },
  {
    name: 'a file under another name',
    status: 400,
    code: 'missing_file',
    param: 'file',
    send: () => raw([part('document')]),
  },
  {
    name: 'a file without a name',
    status: 400,
    code: 'missing_file',
    param: 'file',
    send: (field) => raw([part(field, 'x', '')]),
  },
  {
    name: 'a file that is a text field',
    status: 400,
    code: 'missing_file',
    param: 'file',
    send: (field) => raw([part(field, 'x', null)]),
  },
  {
    name: 'two files',
    status: 400,
    code: 'too_many_files',
    param: 'file',
    send: (field) => raw([part(field), part(field)]),
  },
  {
    name: 'a file above the limit',
    status: 413,
    code: 'file_too_large',
    param: 'file',
    send: (field) => raw([part(field, 'x'.repeat(200_001))]),
  },
  {
    name: 'far above the limit, by its length alone',
    status: 413,
    code: 'file_too_large',
    param: 'file',
    send: (field) => raw([part(field, 'x'.repeat(3_000_000))]),
  },
  {
    name: 'a type the destination does not take',
    status: 400,
    code: 'invalid_file_type',
    param: 'file',
    send: (field) => raw([part(field, 'x', 'a.exe')]),
  },
  {
    name: 'a purpose the destination does not take',
    status: 400,
    code: 'invalid_purpose',
    param: 'purpose',
    send: (field) => raw([part(field), part('purpose', 'assistants', null)]),
  },
  {
    name: 'plain text',
    status: 415,
    code: 'unsupported_media_type',
    param: 'content-type',
    send: () => ({ body: 'hello', headers: { 'content-type': 'text/plain' } }),
  },
  {
    name: 'no type at all',
    status: 415,
    code: 'unsupported_media_type',
    param: 'content-type',
    send: () => ({ body: new Uint8Array([1, 2]) }),
  },
  {
    name: 'a broken type',
    status: 415,
    code: 'unsupported_media_type',
    param: 'content-type',
    send: () => ({ body: 'x', headers: { 'content-type': 'multi//part' } }),
  },
  {
    name: 'a compressed body',
    status: 415,
    code: 'unsupported_media_type',
    param: 'content-type',
    send: (field) => ({
      ...raw([part(field)]),
      headers: { 'content-type': 'multipart/form-data; boundary=b', 'content-encoding': 'gzip' },
    }),
  },
  {
    name: 'no boundary',
    status: 400,
    code: 'malformed_form',
    param: 'content-type',
    send: (field) => ({ ...raw([part(field)]), headers: { 'content-type': 'multipart/form-data' } }),
  },
  {
    name: 'an end that comes early',
    status: 400,
    code: 'malformed_form',
    send: (field) => raw([part(field)], false),
  },
  {
    name: 'an empty body',
    status: 400,
    code: 'malformed_form',
    send: () => ({ body: '', headers: { 'content-type': 'multipart/form-data; boundary=b' } }),
  },
  {
    name: 'more than 20 fields',
    status: 400,
    code: 'too_many_fields',
    send: (field) => raw([...Array.from({ length: 21 }, (_, at) => part(`f${at}`, 'x', null)), part(field)]),
  },
  {
    name: 'a field above 64 KiB',
    status: 400,
    code: 'field_too_large',
    param: 'purpose',
    send: (field) => raw([part(field), part('purpose', 'x'.repeat(65_537), null)]),
  },
  {
    name: 'a part without a name',
    status: 400,
    code: 'nameless_part',
    send: (field) => raw([part(field), 'Content-Disposition: form-data\r\n\r\nx']),
  },
  {
    name: 'a part without a disposition',
    status: 400,
    code: 'nameless_part',
    send: (field) => raw([part(field), 'Content-Type: text/plain\r\n\r\nx']),
  },
];

test.each(SHAPES)(
  '%s: every malformed upload is refused in its words, and the destination is never asked',
  async (shape) => {
    const { sandbox, door } = await smallDoor();
    const { path, field } = PATHS[shape];
    for (const { status, code, param = null, send, name } of ROWS) {
      const told = await post(door, path, send(field));
      try {
        expectRefusal(shape, told, status, code, param);
      } catch (error) {
        throw new Error(`${name}: ${JSON.stringify(told.body)}`, { cause: error });
      }
      expect(door.incoming(), name).toEqual([]);
    }
    expect(sandbox.received()).toEqual([]);
    // The door is as good as new.
    const after = await post(door, path, { body: formOf({ name: 'a.txt', content: 'hello' }, {}, field) });
    expect(after.status).toBe(200);
    expect(sandbox.received()).toHaveLength(1);
  },
);

test('20 fields, 64 KiB in one and a file of the limit are taken, junk beside good headers is borne', async () => {
  const { sandbox, door } = await smallDoor();
  const headers = `${Array.from({ length: 2_500 }, (_, at) => `X-${at}: 1`).join('\r\n')}\r\n`;
  const fields = Array.from({ length: 19 }, (_, at) =>
    part(`f${at}`, at === 0 ? 'x'.repeat(65_536) : 'x', null),
  );
  const form = raw([
    ...fields,
    `${part('file', 'y'.repeat(200_000)).replace('\r\n\r\n', '\r\n folded\r\nno colon here\r\n\r\n')}`,
    `Content-Disposition: form-data; name="more"\r\n${headers}\r\nx`,
  ]);
  expect(await post(door, '/v1/files', form)).toMatchObject({ status: 200, body: { bytes: 200_000 } });
  expect(sandbox.received()).toHaveLength(1);
});

test('a JSON upload is refused in the words of the document', async () => {
  const { sandbox, door } = await smallDoor();
  const json = (body: string) =>
    post(door, '/upload-openai-file', { body, headers: { 'content-type': 'application/json' } });
  const object = (value: object) => json(JSON.stringify(value));
  expect((await object({ fileContent: 'aGk=' })).body).toEqual({ code: 400, msg: '文件名不能为空' });
  expect((await object({ filename: 'a.txt' })).body).toEqual({ code: 400, msg: '文件内容不能为空' });
  for (const bad of ['[]', '{', 'null', `{"x":${'['.repeat(9)}${']'.repeat(9)}}`])
    expect((await json(bad)).status).toBe(400);
  for (const bad of ['not base64!', 'aGk', 'a', '====']) {
    const told = await object({ filename: 'a.txt', fileContent: bad });
    if (bad !== 'aGk') expect([bad, told.status]).toEqual([bad, 400]);
  }
  expect((await object({ filename: 'a.txt', fileContent: 'A'.repeat(100_000) })).body).toMatchObject({
    code: 413,
  });
  expect(
    (await post(door, '/v1/files', { body: '{}', headers: { 'content-type': 'application/json' } })).status,
  ).toBe(415);
  expect(sandbox.received().map(({ bytes }) => bytes)).toEqual([2]);
  expect((await object({ filename: '报.txt', fileContent: 'aGk=' })).body).toMatchObject({
    code: 0,
    msg: 'success',
    data: { filename: '报.txt', bytes: 2 },
  });
});

test('paths and methods that are none are told so in the shape the path suggests', async () => {
  const { door } = await smallDoor();
  const ask = async (method: string, path: string) => {
    const answer = await fetch(`${door.url}${path}`, { method });
    return { status: answer.status, allow: answer.headers.get('allow'), body: await answer.json() };
  };
  expect(await ask('GET', '/nowhere')).toMatchObject({
    status: 404,
    body: { error: { code: 'unknown_path', param: null } },
  });
  expect(await ask('POST', '/x/upload-openai-file')).toMatchObject({ status: 404, body: { code: 404 } });
  expect(await ask('POST', '/y/agentdr/v1/assistant/upload-mix')).toMatchObject({
    status: 404,
    body: { code: 400_003 },
  });
  expect(await ask('PUT', '/v1/files')).toMatchObject({
    status: 405,
    allow: 'GET, POST',
    body: { error: { code: 'method_not_allowed' } },
  });
  expect(await ask('GET', '/upload-openai-file')).toMatchObject({
    status: 405,
    allow: 'POST',
    body: { code: 405 },
  });
  expect(await ask('PROPFIND', '/v1/files')).toMatchObject({ status: 405 });
  expect(await ask('GET', '/%E0%A4%A')).toMatchObject({ status: 400 });
});

test('a mode that is none, or given twice, is refused', async () => {
  const { sandbox, door } = await smallDoor();
  for (const query of ['mode=later', 'mode=', 'mode=direct&mode=direct']) {
    const told = await post(door, `/v1/files?${query}`, raw([part('file')]));
    expectRefusal('openai', told, 400, 'invalid_mode', 'mode');
  }
  expect(sandbox.received()).toEqual([]);
  expect((await post(door, '/v1/files?mode=direct', raw([part('file')]))).status).toBe(200);
});

test('lists that cannot be are refused with their parameter, unknown ids with 404', async () => {
  const { door } = await smallDoor();
  const list = async (query: string) => {
    const answer = await fetch(`${door.url}/v1/files?${query}`);
    return { status: answer.status, body: (await answer.json()) as { error: { param: string } } };
  };
  for (const limit of ['0', '10001', 'x', '-1', '1.5', '']) {
    expect(await list(`limit=${limit}`)).toMatchObject({ status: 400, body: { error: { param: 'limit' } } });
  }
  expect(await list('order=up')).toMatchObject({ status: 400, body: { error: { param: 'order' } } });
  expect(await list('after=')).toMatchObject({ status: 400, body: { error: { param: 'after' } } });
  // No client in between that takes dots for a path.
  for (const id of ['file-unknown', '..', '.', '%2e%2e', 'a%2Fb']) {
    const told = await rawRequest(door.url, [
      `GET /v1/files/${id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    ]);
    expect([id, told.status]).toEqual([id, 404]);
    expect(JSON.parse(told.body)).toMatchObject({ error: { param: 'id' } });
  }
});

test('what is no HTTP is answered and closed: large headers, both lengths, a bad chunk', async () => {
  const { door } = await smallDoor();
  const head =
    'POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n';
  const answers = [
    [`${head}X-Big: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    [`${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${head}Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n`, 400],
    ['NOT HTTP AT ALL\r\n\r\n', 400],
  ] as const;
  for (const [bytes, status] of answers) {
    const told = await rawRequest(door.url, [bytes]);
    expect([bytes.slice(0, 20), told.status]).toEqual([bytes.slice(0, 20), status]);
    expect(JSON.parse(told.body)).toMatchObject({ error: { code: expect.any(String) } });
  }
  expect(door.incoming()).toEqual([]);
});

test('a body that falls silent is given up with 408, one whose upload takes long is not', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'vectorx', operation: 'upload', action: 'slow', ms: 900, times: 1 }],
  });
  const door = await gatewayForTest({
    destinations: { agent: sandboxDestinations(sandbox).agent },
    timeouts: { idle: '300ms' },
  });
  const head =
    'POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n';
  const told = await rawRequest(door.url, [`${head}--b\r\n${part('file', 'half')}`]);
  expect(told.status).toBe(408);
  expect(door.incoming()).toEqual([]);
  expect(sandbox.received()).toEqual([]);
  const slow = await post(door, '/v1/files', { body: formOf({ name: 'a.txt', content: 'hello' }) });
  expect(slow.status).toBe(200);
});

test('an early answer is seen by curl and fetch, not a reset; nobody is told to go on before it', async () => {
  const { door } = await smallDoor();
  const big = new Uint8Array(8_000_000);
  for (const path of ['/v1/files', '/nowhere']) {
    const form = new FormData();
    form.append('file', new File([big], 'big.txt'));
    const told = await post(door, path, { body: form });
    expect(told.status).toBe(path === '/v1/files' ? 413 : 404);
  }
  const socket = connect(Number(new URL(door.url).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString();
  });
  const ask = (length: number): string =>
    `POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;
  socket.write(ask(9_000_000));
  await vi.waitFor(() => expect(answer).toMatch(/^HTTP\/1.1 413/));
  expect(answer).not.toContain('100 Continue');
  socket.destroy();
  const { body } = raw([part('file')]);
  const good = connect(Number(new URL(door.url).port), '127.0.0.1');
  let said = '';
  good.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  good.write(ask(Buffer.byteLength(body)));
  await vi.waitFor(() => expect(said).toMatch(/^HTTP\/1.1 100 Continue/));
  good.write(body);
  await vi.waitFor(() => expect(said).toContain('HTTP/1.1 200'));
  good.destroy();
});
