/**
 * The rules that keep small files in carriers safe, each named where the code keeps it. Taking one away shows what it is
 * for. `?`: off unless asked for; a smaller set that stays clean over 200,000 schedules would be the better one.
 */
export const RULES = {
  singleWins: "an id in a carrier and as a single is the single's",
  skipHand: 'a carrier skips what is in flight in this process or with the recorder',
  skipLedger: 'a carrier skips what the ledger has',
  retrySingle: "a carrier's member that must be retried becomes a single, pending says so",
  waitDurable: 'a carrier completes only when every member is recorded durably or a single',
  crashSingles: 'after 2 stalls unsent members become singles',
  othersSingles: 'with other processes about, new files are singles',
  openGate: 'workers elsewhere take singles only while `opened` is this run',
  clean: 'before opening, the owner removes singles (waiting, delayed) that the ledger has',
  lookHand: 'the comparison keeps what is in hand in this process',
  mutex: 'adding, removing, comparing hold one mutex',
  dropLate: 'a result whose receipt exists is dropped',
  overlay: '"known" counts what the recorder holds: handed over, appended, not committed',
  replaySync: 'lines found at start are synced before the ledger counts them',
  doneKey:
    'done:<jobId> is written when the lock may be lost or completing is refused; read when attemptsStarted > 1',
  kernel: "the journal lock is the kernel's: nobody takes over while the old owner lives",
  oneRead: 'all states are read in one script (BullMQ getRanges), not page by page',
  cleanHand: 'the clean-up also removes singles of what a carrier run here has in flight or handed over',
  cleanActive: 'opening waits until active singles that the ledger has are gone too',
  gateAfter: 'after taking a single a worker asks `opened` once more (needed after a reconnect)',
  ownGate: "the owner's own workers and intake also wait for `opened` of this run (not only at start)",
  openPoll: 'a missing `opened` makes the owner clean up and open again',
  lockCheck: 'after a stop or a lost lock a worker asks with extendLock before it sends a single',
  retryMutex: 'the single of a retry is added under the mutex',
  again: 'a carrier run goes round its members until each is recorded or a single',
  orphan: 'what is in no state is removed before it is forgotten; refused while locked: kept',
  orphanScan:
    'job hashes in no state: with a lock they count as singles, without they are removed (SCAN; at start and a minute later is enough)',
  moment:
    'what is forgotten may be added again only after a moment; a single taken longer ago than that asks extendLock before it sends',
  emptyJob: 'a job without data is no result: removed, not recorded',
  doneAlways: 'done:<jobId> is read after every take of a single, also without data (one MGET with `opened`)',
  carrierDone: 'after taking a carrier, one MGET of done:<member>: what has one is handed over, not sent',
  forgottenSingle:
    '? what was forgotten is added again as a single (which reads done:<jobId>), never in a carrier',
  otherDest: 'singles of another destination are removed, members skipped',
  destCheck: 'a worker of another destination puts a single off',
  handFirst: 'a single run here marks its id in flight, so that no carrier sends it too',
  keepKnown: 'a single stays pending until it is removed from Redis, not until it is recorded',
  ownSkip: "the owner's own workers ask ledger and hand before they send a single",
  existsCheck: '? before a carrier is added, Redis is asked whether a single with one of its ids exists',
  fence: '? (with --steal) lease or lock are asked before append, commit and send',
  fenceAdd: '? (with --steal) adding and removing are refused by Redis for who is not the owner',
  clientKill:
    '? who takes over kills the connections of the owner before (CLIENT KILL), so that no late command lands',
} as const satisfies Record<string, string>;

export type Rule = keyof typeof RULES;
export type Rules = Readonly<Record<Rule, boolean>>;

const OFF: ReadonlySet<Rule> = new Set(['forgottenSingle', 'existsCheck', 'clientKill', 'fence', 'fenceAdd']);

/** @param without taken away @param plus added */
export function rulesWith({
  without = [],
  plus = [],
}: {
  without?: readonly Rule[];
  plus?: readonly Rule[];
} = {}): Rules {
  const on = (rule: Rule): boolean => plus.includes(rule) || (!OFF.has(rule) && !without.includes(rule));
  return Object.fromEntries((Object.keys(RULES) as Rule[]).map((rule) => [rule, on(rule)])) as Record<
    Rule,
    boolean
  >;
}

export function isRule(text: string): text is Rule {
  return text in RULES;
}
