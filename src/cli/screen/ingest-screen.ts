import type { BatchProgress } from '../../domain/batch-progress.ts';
import type { LiveReport } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { formatBytes, formatDuration } from '../../platform/units.ts';
import { destinationTrouble, sourceTrouble } from './blocker-text.ts';
import { fitted } from './cell-width.ts';
import { createGatheredReceipts } from './gathered-receipts.ts';
import { openTerminal, paintFor, printable } from './terminal.ts';
import { terminalLog, troubleLine } from './terminal-log.ts';

/** What an ingest shows while it works. */
export interface IngestScreen {
  readonly log: Log;
  receipts(receipts: readonly Receipt[]): void;
  say(line: string): void;
  /** Begins to show the progress. */
  follow(look: () => Promise<IngestView>): void;
  end(): void;
}

export interface IngestView {
  readonly parts: readonly BatchProgress[];
  /** Of this process; null: others do the work. */
  readonly report: LiveReport | null;
  /** Bytes uploaded since this process began. */
  readonly sentBytes: number;
}

/** How many files were done when: enough for a rate over the last while. */
export interface RateWindow {
  add(atMs: number, done: number): void;
  /** Files a second; null while nothing is known. */
  filesPerSecond(): number | null;
}

const REDRAW_MS = 500;
const LOG_EVERY_MS = 10_000;
/** Long enough for a slow destination, short enough to follow a change of pace. */
const WINDOW_MS = 30_000;
const BAR_CHARS = 20;

export function createRateWindow(): RateWindow {
  let samples: { atMs: number; done: number }[] = [];
  return {
    add(atMs, done) {
      samples = [...samples.filter((sample) => atMs - sample.atMs <= WINDOW_MS), { atMs, done }];
    },
    filesPerSecond() {
      const [first] = samples;
      const last = samples.at(-1);
      if (first === undefined || last === undefined || last.atMs - first.atMs < REDRAW_MS) return null;
      return ((last.done - first.done) * 1000) / (last.atMs - first.atMs);
    },
  };
}

/** One line: a bar, files, bytes, rate and time left. While files are still being found the total says "at least". */
export function ingestLine(view: IngestView, filesPerSecond: number | null, columns: number): string {
  const sum = (pick: (part: BatchProgress) => number): number =>
    view.parts.reduce((total, part) => total + pick(part), 0);
  const walked = view.parts.every((part) => part.walked);
  const [members, done] = [sum((part) => part.members), sum((part) => part.done)];
  const share = members === 0 ? (walked ? 1 : 0) : done / members;
  const filled = Math.floor((walked ? share : 0) * BAR_CHARS);
  const bar = walked ? `[${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}] ` : '';
  const parts = [`${bar}${done}/${walked ? '' : '≥ '}${members} files`];
  if (walked) parts.push(`${Math.floor(share * 100)} %`);
  if (view.sentBytes > 0) parts.push(`${formatBytes(view.sentBytes)} sent`);
  const rate = filesPerSecond ?? 0;
  if (rate >= 0.1) parts.push(`${rate.toFixed(1)} files/s`);
  const bytesPerSecond = view.report?.bytesPerSecond ?? 0;
  if (bytesPerSecond >= 1) parts.push(`${formatBytes(Math.round(bytesPerSecond))}/s`);
  if (walked && rate > 0 && done < members)
    parts.push(`ETA ${formatDuration(Math.ceil((members - done) / rate) * 1000)}`);
  if (!walked) parts.push('still looking for files');
  const { destinations = [], sources = [] } = view.report ?? {};
  const troubles = [...destinations.map(destinationTrouble), ...sources.map(sourceTrouble)];
  parts.push(...troubles.filter((why) => why !== null));
  return fitted(printable(parts.join(' · ')), columns);
}

/** A terminal: the progress bar, and a line for every file that did not get through. */
export function terminalIngestScreen(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): IngestScreen {
  const terminal = openTerminal(stream, env);
  const paint = paintFor(stream, env);
  let stop = (): void => undefined;
  function tell(receipt: Receipt): void {
    const line = troubleLine(receipt, paint);
    if (line !== null) terminal.say(line);
  }
  const gathered = createGatheredReceipts(
    (line, usual) => terminal.say(`${usual ? paint.faint('–') : paint.bad('!')} ${printable(line)}`),
    tell,
  );
  return {
    log: terminalLog(terminal, paint),
    receipts: (receipts) => gathered.take(receipts).forEach(tell),
    say: (line) => terminal.say(printable(line)),
    follow(look) {
      stop = showEvery(REDRAW_MS, look, (view, filesPerSecond) =>
        terminal.progress(paint.faint(ingestLine(view, filesPerSecond, terminal.columns))),
      );
    },
    end() {
      stop();
      gathered.flush();
      terminal.end();
    },
  };
}

/** Not a terminal: JSON lines on stderr; the progress every ten seconds. */
export function logIngestScreen(log: Log): IngestScreen {
  let stop = (): void => undefined;
  function tell({ source, path, status, url, fileId, bytes, error }: Receipt): void {
    if (error === null) log.debug({ source, path, url, fileId, bytes }, status);
    else log.warn({ source, path, code: error.code, reason: error.message }, status);
  }
  const gathered = createGatheredReceipts((line, usual) => log[usual ? 'info' : 'warn']({}, line), tell);
  return {
    log,
    receipts: (receipts) => gathered.take(receipts).forEach(tell),
    say: (line) => log.info({}, line),
    follow(look) {
      stop = showEvery(LOG_EVERY_MS, look, (view, filesPerSecond) =>
        log.info({}, ingestLine(view, filesPerSecond, Number.MAX_SAFE_INTEGER)),
      );
    },
    end() {
      stop();
      gathered.flush();
    },
  };
}

/** Looks, and shows with the rate so far, every so often; the answer ends it. A look that fails shows nothing. */
function showEvery(
  everyMs: number,
  look: () => Promise<IngestView>,
  show: (view: IngestView, filesPerSecond: number | null) => void,
): () => void {
  const rate = createRateWindow();
  const timer = setInterval(() => {
    look()
      .then((view) => {
        rate.add(
          performance.now(),
          view.parts.reduce((sum, { done }) => sum + done, 0),
        );
        show(view, rate.filesPerSecond());
      })
      .catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
}
