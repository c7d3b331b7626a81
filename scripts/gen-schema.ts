/**
 * Writes config/slipway.schema.json from the config's own schema, for editors, and config/schemas/*.json from those of
 * the webhook payloads, for receivers. `--check`: writes nothing, exits 1 when a file is not what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { publishedJsonSchema } from '../src/config/json-schema.ts';
import { payloadJsonSchemas } from '../src/notify/event/payload-schemas.ts';

const FOLDER = new URL('../config/', import.meta.url);
const wanted: Readonly<Record<string, unknown>> = {
  'slipway.schema.json': publishedJsonSchema(),
  ...Object.fromEntries(
    Object.entries(payloadJsonSchemas()).map(([type, schema]) => [`schemas/${type}.json`, schema]),
  ),
};

mkdirSync(new URL('schemas', FOLDER), { recursive: true });
for (const [name, schema] of Object.entries(wanted)) {
  const file = new URL(name, FOLDER);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (current(file) === text) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`config/${name} is not current: run \`npm run gen\`\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    process.stdout.write(`wrote config/${name}\n`);
  }
}

function current(file: URL): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
