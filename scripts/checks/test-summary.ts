/**
 * Says after a test run how many tests each tier ran, and fails when a tier ran none: a tier that silently matches
 * no file any more looks exactly like one that passes.
 * Usage: node scripts/checks/test-summary.ts REPORT [TIER...]    (REPORT: of vitest's json reporter)
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { summarise } from './tier-counts.ts';

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

const [reportFile = '', ...tiers] = process.argv.slice(2);
const report = reportSchema.parse(JSON.parse(readFileSync(reportFile, 'utf8')));
const { lines, isSound } = summarise(report.testResults, tiers);
process.stdout.write(`${lines.join('\n')}\n`);
if (!isSound) process.exitCode = 1;
