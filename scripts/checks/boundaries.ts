/**
 * The architecture as a check: no import cycle, no stage importing a stage, no arrow against the order of the rooms,
 * one home for every outside library, no long file without a reason, no name without a job (docs/architecture.md).
 * Usage: node scripts/checks/boundaries.ts [PROJECT]
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBreaches } from './boundary-rules.ts';
import { readSourceFiles } from './source-files.ts';

const project = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
const files = readSourceFiles(join(project, 'src'));
const breaches = findBreaches(files);
for (const { path, line, rule, detail } of breaches) {
  process.stdout.write(`src/${path}:${line}: ${rule}: ${detail}\n`);
}
if (breaches.length > 0 || files.length === 0) {
  process.stdout.write(
    files.length === 0 ? `no source files below ${project}/src\n` : `${breaches.length} breaches\n`,
  );
  process.exitCode = 1;
} else {
  process.stdout.write(`boundaries hold in ${files.length} files\n`);
}
