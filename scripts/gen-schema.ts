/**
 * Writes config/slipway.schema.json from the config's own schema, for editors.
 * `--check`: writes nothing, exits 1 when the file is not what would be written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { publishedJsonSchema } from '../src/config/json-schema.ts';

const FILE = new URL('../config/slipway.schema.json', import.meta.url);
const wanted = `${JSON.stringify(publishedJsonSchema(), null, 2)}\n`;

if (process.argv.includes('--check')) {
  if (current() !== wanted) {
    process.stderr.write('config/slipway.schema.json is not current: run `npm run gen`\n');
    process.exitCode = 1;
  }
} else if (current() !== wanted) {
  writeFileSync(FILE, wanted);
  process.stdout.write('wrote config/slipway.schema.json\n');
}

function current(): string | null {
  try {
    return readFileSync(FILE, 'utf8');
  } catch {
    return null;
  }
}
