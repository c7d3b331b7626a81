import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { fitted } from './cell-width.ts';
import { createGatheredReceipts } from './gathered-receipts.ts';
import { progressLine } from './progress-line.ts';
import { openTerminal, type Paint, paintFor, printable } from './terminal.ts';
import { terminalLog, troubleLine } from './terminal-log.ts';

/** What a run shows while it works. */
export interface RunScreen {
  /** Where the run's own log goes: a terminal gets lines for people. */
  readonly log: Log;
  receipts(receipts: readonly Receipt[]): void;
  say(line: string): void;
  /** Begins to redraw the progress. */
  follow(report: () => Promise<LiveReport>): void;
  /** Shows, from now on, what is waited for whenever there is something. */
  showWaits(text: () => string | null): void;
  end(): void;
}

const REDRAW_MS = 500;
/** Who reads a log shall see that it has not died; a line each moment would bury the rest. */
const REMIND_MS = 30_000;
/** A person reads no more; the rest is counted. */
const LINES_PER_REDRAW = 8;

/** A terminal: one line per file while that can be read, and a progress line. */
export function terminalScreen(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): RunScreen {
  const terminal = openTerminal(stream, env);
  const paint = paintFor(stream, env);
  let printed = 0;
  let unprinted = 0;
  let timer: NodeJS.Timeout | null = null;

  function nextPeriod(): void {
    if (unprinted > 0) terminal.say(paint.faint(`… and ${unprinted} more (all are in the manifest)`));
    printed = 0;
    unprinted = 0;
  }

  function tell(receipt: Receipt): void {
    if (printed < LINES_PER_REDRAW) terminal.say(receiptLine(receipt, paint));
    else unprinted += 1;
    printed += 1;
  }

  const gathered = createGatheredReceipts(
    (line, usual) => terminal.say(`${usual ? paint.faint('–') : paint.bad('!')} ${printable(line)}`),
    tell,
  );

  return {
    log: terminalLog(terminal, paint),
    receipts: (receipts) => gathered.take(receipts).forEach(tell),
    say: (line) => terminal.say(printable(line)),
    follow(report) {
      timer = setInterval(() => {
        nextPeriod();
        report()
          .then((live) => terminal.progress(paint.faint(progressLine(live, terminal.columns))))
          .catch(() => undefined);
      }, REDRAW_MS);
    },
    showWaits(text) {
      timer = setInterval(() => {
        const waited = text();
        terminal.progress(waited === null ? '' : paint.faint(fitted(printable(waited), terminal.columns)));
      }, REDRAW_MS);
    },
    end() {
      if (timer !== null) clearInterval(timer);
      gathered.flush();
      nextPeriod();
      terminal.end();
    },
  };
}

/** Not a terminal: pino's JSON lines on stderr. */
export function logScreen(log: Log): RunScreen {
  let timer: NodeJS.Timeout | null = null;
  function tell({ source, path, status, url, fileId, bytes, attempts, error }: Receipt): void {
    if (error === null) log.info({ source, path, url, fileId, bytes, attempts }, status);
    else log.warn({ source, path, code: error.code, reason: error.message }, status);
  }
  const gathered = createGatheredReceipts((line, usual) => log[usual ? 'info' : 'warn']({}, line), tell);
  return {
    log,
    receipts: (receipts) => gathered.take(receipts).forEach(tell),
    say: (line) => log.info({}, line),
    follow() {},
    showWaits(text) {
      timer = setInterval(() => {
        const waited = text();
        if (waited !== null) log.info({}, waited);
      }, REMIND_MS);
    },
    end() {
      gathered.flush();
      if (timer !== null) clearInterval(timer);
    },
  };
}

function receiptLine(receipt: Receipt, paint: Paint): string {
  const { path, ref, url, fileId } = receipt;
  return (
    troubleLine(receipt, paint) ??
    `${paint.good('✓')} ${printable(path)} → ${printable(ref ?? url ?? fileId ?? '')}`
  );
}
