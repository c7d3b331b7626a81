import { fileVersionId } from '../../domain/file-version.ts';
import type { SourceReport } from '../../domain/live-report.ts';
import { GATEWAY_SOURCE } from '../../domain/received-source.ts';
import { acceptedVersion } from '../../ledger/tables/accepted-files.ts';
import { within } from '../../platform/waiting/within.ts';
import type { ReceivedBook } from './received-book.ts';
import type { ReceivedLine } from './received-line.ts';

/** A Redis that is away must not hold up what needs none. */
const ANSWER_MS = 1_000;
/** Failed ones that are kept may lie before the oldest that waits. */
const MOST_LOOKED_AT = 1_000;

/** What metrics tell of the files that came in by HTTP. */
export async function receivedReport(
  book: ReceivedBook,
  line: Pick<ReceivedLine, 'report'>,
): Promise<
  Pick<SourceReport, 'name' | 'uploaded' | 'failed' | 'skipped' | 'pending' | 'oldestWaiting' | 'webhooks'>
> {
  const asked = line.report();
  const told = asked !== null && (await within(asked, ANSWER_MS)) ? await asked.catch(() => null) : null;
  const source = told?.sources.find(({ name }) => name === GATEWAY_SOURCE);
  return {
    name: GATEWAY_SOURCE,
    ...book.counts(),
    pending: source?.pending ?? 0,
    oldestWaiting: oldestWaiting(book),
    webhooks: book.owned.notifier?.report() ?? [],
  };
}

function oldestWaiting({ accepted, owned }: ReceivedBook): string | null {
  const waiting = accepted.after(null, MOST_LOOKED_AT).find(({ file }) => {
    const recorded = owned.store.ledger.find(fileVersionId(acceptedVersion(file)));
    return (recorded?.gen ?? -1) < file.gen;
  });
  return waiting === undefined ? null : new Date(waiting.file.acceptedAtMs).toISOString();
}
