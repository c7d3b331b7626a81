/**
 * No function of src over 80 lines, comments and blank lines included, unless the line above it (or above its doc comment) is
 * `// Over 80 lines: <reason>`.
 * Usage: node scripts/checks/function-lengths.ts [PROJECT]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type FunctionSpan, functionBreaches, MAX_FUNCTION_LINES, spanOf } from './function-spans.ts';

/** Biome finds functions; it counts lines of code, so it is asked for many and the lines are counted here. */
const reportSchema = z.object({
  diagnostics: z.array(
    z.object({
      category: z.string(),
      location: z.object({
        path: z.string(),
        start: z.object({ line: z.int() }),
        end: z.object({ line: z.int() }),
      }),
    }),
  ),
});
const RULE = 'complexity/noExcessiveLinesPerFunction';

const here = fileURLToPath(new URL('../../', import.meta.url));
const project = resolve(process.argv[2] ?? here);
const spans = functionsOf(project);
const breaches = functionBreaches(spans);
process.stdout.write(breaches.map((breach) => `${breach}\n`).join(''));
if (breaches.length > 0) process.exitCode = 1;
else
  process.stdout.write(
    `${spans.length} functions looked at: none over ${MAX_FUNCTION_LINES} lines without a reason\n`,
  );

function functionsOf(folder: string): readonly FunctionSpan[] {
  const biome = join(here, 'node_modules/.bin/biome');
  const flags = [`--only=${RULE}`, '--reporter=json', '--max-diagnostics=none', `--config-path=${here}`];
  const text = execFileSync(biome, ['lint', ...flags, 'src'], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
  });
  return reportSchema
    .parse(JSON.parse(text))
    .diagnostics.filter(({ category }) => category === `lint/${RULE}`)
    .map(({ location: { path, start, end } }) =>
      spanOf({ path, from: start.line, to: end.line }, readFileSync(join(folder, path), 'utf8')),
    );
}
