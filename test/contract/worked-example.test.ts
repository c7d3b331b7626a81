import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { destinationConfigSchema } from '../../src/destinations/definition/definition-schema.ts';
import { resolveDestination } from '../../src/destinations/definition/resolve-destination.ts';
import { openDestination } from '../../src/destinations/open-destination.ts';
import { silentLog } from '../../src/domain/log.ts';
import { parseYaml } from '../../src/platform/files/yaml-document.ts';
import { startHttpServer } from '../support/http-server.ts';
import { readMultipart } from '../support/multipart-reader.ts';
import { attempt, fileTask, testClient, uploadFolder } from '../support/upload-fixture.ts';

/** The destination of the documentation, sent to another address. */
function documentedAt(url: string) {
  const page = readFileSync(new URL('../../docs/destinations.md', import.meta.url), 'utf8');
  const text = /<!-- worked example -->\n```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  const { destinations } = parseYaml(text).value as { destinations: Record<string, object> };
  const client = testClient();
  const config = destinationConfigSchema.parse({ ...destinations.archive, url });
  const destination = openDestination(resolveDestination('archive', config), {
    fetchText: client.fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env: { ARCHIVE_TOKEN: 'archive-secret' },
  });
  onTestFinished(() => destination.close());
  return { destination, send: client.send };
}

test('the ten lines of the documentation upload to the service they describe', async () => {
  const server = await startHttpServer(async (visit) => {
    const parts = readMultipart(await visit.body(), visit.request.headers['content-type']);
    const [folder, file] = parts;
    const fine =
      visit.request.headers.authorization === 'Bearer archive-secret' &&
      folder?.head === 'Content-Disposition: form-data; name="folder"' &&
      folder.content.toString() === 'inbox' &&
      file?.head.startsWith('Content-Disposition: form-data; name="file"; filename="') === true;
    if (!fine) visit.json(400, { ok: false, code: 'form', message: 'not what was described' });
    else if (file.content.includes('virus'))
      visit.json(200, { ok: false, code: 'virus', message: 'a virus' });
    else if (file.content.includes('full')) visit.json(200, { ok: false, code: 'quota', message: 'full' });
    else visit.json(200, { ok: true, file: { key: 'a/1', link: 'https://files.example.com/a/1' } });
  });
  const { destination, send } = documentedAt(`${server.origin}/api/upload`);
  const folder = uploadFolder();
  const upload = (name: string, content: string) =>
    attempt(fileTask(folder, name, content), destination, send);
  expect(await upload('some.pdf', 'fine')).toMatchObject({
    kind: 'uploaded',
    accepted: { url: 'https://files.example.com/a/1', fileId: 'a/1', ref: 'archive:a/1' },
  });
  expect(await upload('bad.pdf', 'a virus')).toMatchObject({ failure: { kind: 'rejected' } });
  expect(await upload('more.pdf', 'full')).toMatchObject({
    failure: { kind: 'exhausted', message: expect.stringContaining('ask the archive for more room') },
  });
});
