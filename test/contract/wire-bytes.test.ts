import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI, { toFile } from 'openai';
import { expect, onTestFinished, test } from 'vitest';
import { openDestination } from '../../src/destinations/open-destination.ts';
import { silentLog } from '../../src/domain/log.ts';
import { definitionOf } from '../support/destination-definitions.ts';
import { startHttpServer } from '../support/http-server.ts';
import { type ReadPart, readMultipart } from '../support/multipart-reader.ts';
import { attempt, fileTask, testClient, uploadFolder } from '../support/upload-fixture.ts';

const run = promisify(execFile);
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);

const NO_CURL = 'curl is not installed here: there is nothing to compare with';

/** One request as it stood on the wire, and its parts. */
interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly parts: readonly ComparedPart[];
}

/** A part without what may differ: boundary, order, and who says what about the content type. */
interface ComparedPart {
  readonly name: string;
  /** As sent, nothing decoded; null: a text field. */
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly content: string;
}

/** Takes every upload as the OpenAI Files API does, and keeps it. */
async function wire() {
  const seen: Seen[] = [];
  const server = await startHttpServer(async (visit) => {
    const body = await visit.body();
    const { method, url, headers } = visit.request;
    const parts = readMultipart(body, headers['content-type']).map(compared);
    seen.push({ method, url, headers, parts });
    visit.json(200, {
      id: 'file-1',
      object: 'file',
      bytes: null,
      created_at: 1,
      filename: 'a',
      purpose: 'user_data',
    });
  });
  return { base: `${server.origin}/v1`, last: () => seen.at(-1) };
}

function compared({ head, content }: ReadPart): ComparedPart {
  const text = Buffer.from(head, 'latin1').toString('utf8');
  const disposition = /^content-disposition: form-data; name="([^"]*)"(?:; filename="([^"\r\n]*)")?/im.exec(
    text,
  );
  const [, name = '', filename = null] = disposition ?? [];
  const [, contentType = null] = /^content-type: (.*)$/im.exec(text) ?? [];
  return { name, filename, contentType: contentType?.trim() ?? null, content: content.toString('latin1') };
}

const byName = (parts: readonly ComparedPart[]) => [...parts].sort((a, b) => (a.name < b.name ? -1 : 1));
const withoutType = ({ contentType: _, ...part }: ComparedPart) => part;

/** Sends the file as Slipway does. */
async function slipway(base: string, folder: string, name: string, content: Buffer): Promise<void> {
  const client = testClient();
  const fields = { 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': 3600 };
  const definition = definitionOf('openai', { params: { base }, fields });
  const destination = openDestination(definition, {
    fetchText: client.fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env: { OPENAI_API_KEY: 'sk-same' },
  });
  onTestFinished(() => destination.close());
  const result = await attempt(fileTask(folder, name, content), destination, client.send);
  expect(result).toMatchObject({ kind: 'uploaded' });
}

const bytes = Buffer.from([...Array(256).keys(), 13, 10, 45, 45, 13, 10]);
const NAMES = ['report.pdf', '第一课 (1).md', '🙂.png', '100% %41; a=b, c.txt', 'no-extension'];

// No backslash here: the client takes it for a separator of folders, as on Windows.
test.each([...NAMES, 'say "hi".txt'])(
  'the official client sends the same parts as Slipway: %s',
  async (name) => {
    const { base, last } = await wire();
    const folder = uploadFolder();
    await slipway(base, folder, name, bytes);
    const ours = last();

    const openai = new OpenAI({ baseURL: base, apiKey: 'sk-same', maxRetries: 0 });
    const type = ours?.parts.find((part) => part.name === 'file')?.contentType ?? '';
    await openai.files.create({
      // In memory, and told the content type that Slipway reads off the extension.
      file: await toFile(readFileSync(join(folder, name)), name, { type }),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    const theirs = last();
    expect(byName(ours?.parts ?? [])).toEqual(byName(theirs?.parts ?? []));
    expect([ours?.method, ours?.url]).toEqual([theirs?.method, theirs?.url]);
    expect(ours?.headers.authorization).toBe(theirs?.headers.authorization);
    // Allowed to differ: every text field comes first, as DeepSeek demands and nobody minds.
    expect(ours?.parts.map((part) => part.name)).toEqual([
      'purpose',
      'expires_after[anchor]',
      'expires_after[seconds]',
      'file',
    ]);
  },
);

test('a stream of the official client differs in its framing and content type, not in its parts', async () => {
  const { base, last } = await wire();
  const folder = uploadFolder();
  await slipway(base, folder, 'report.pdf', bytes);
  const ours = last();
  const openai = new OpenAI({ baseURL: base, apiKey: 'sk-same', maxRetries: 0 });
  await openai.files.create({
    file: createReadStream(join(folder, 'report.pdf')),
    purpose: 'user_data',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  const theirs = last();
  expect(byName(ours?.parts ?? []).map(withoutType)).toEqual(byName(theirs?.parts ?? []).map(withoutType));
  expect(theirs?.headers['transfer-encoding']).toBe('chunked');
  expect(ours?.headers['transfer-encoding']).toBeUndefined();
  expect(ours?.headers['content-length']).toMatch(/^\d+$/);
});

// Without curl there is nothing to compare with.
test.skipIf(!hasCurl).each([...NAMES, 'a\\b.txt'])(
  'curl -F sends the same parts as Slipway: %s',
  async (name) => {
    const { base, last } = await wire();
    const folder = uploadFolder();
    await slipway(base, folder, name, bytes);
    const ours = last();
    const type = ours?.parts.find((part) => part.name === 'file')?.contentType ?? '';
    // A quoted path, so that curl takes `;` and `,` in it for what they are; curl escapes `\` and `"` its own way there.
    const path = join(folder, name).replaceAll('\\', '\\\\');
    await run('curl', [
      ...['--silent', '--show-error', '--fail', '--noproxy', '*', '-H', 'Authorization: Bearer sk-same'],
      ...[
        '-F',
        'purpose=user_data',
        '-F',
        'expires_after[anchor]=created_at',
        '-F',
        'expires_after[seconds]=3600',
      ],
      ...['-F', `file=@"${path}";type=${type}`],
      `${base}/files`,
    ]);
    const theirs = last();
    // Byte for byte but for the boundary, and in the same order.
    expect(ours?.parts).toEqual(theirs?.parts);
    expect([ours?.method, ours?.url]).toEqual([theirs?.method, theirs?.url]);
    expect(ours?.headers.authorization).toBe(theirs?.headers.authorization);
    expect(theirs?.headers['content-length']).toMatch(/^\d+$/);
  },
);

test('curl’s own content types are the ones Slipway reads off an extension', async ({ skip }) => {
  skip(!hasCurl, NO_CURL);
  const { base, last } = await wire();
  const folder = uploadFolder();
  for (const name of ['a.pdf', 'a.png', 'a.jpg', 'a.gif', 'a.html', 'a.txt', 'a.svg', 'a.xml', 'a.unknown']) {
    await slipway(base, folder, name, bytes);
    const ours = last()?.parts.at(-1);
    await run('curl', [
      ...['--silent', '--show-error', '--fail', '--noproxy', '*'],
      ...['-F', `file=@${join(folder, name)}`, `${base}/files`],
    ]);
    expect(ours?.contentType, extname(name)).toBe(last()?.parts.at(-1)?.contentType);
  }
});
