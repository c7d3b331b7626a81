const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Every number of the paced rate, with its reason. */
export const RATE = {
  /** Of the quota: 21 requests then span 1.05 s, so that a network that delays one of them makes no 21st in a second. */
  share: 0.95,
  /** Slots taken from the shared bucket at once: fewer round trips to Redis, and no process sits on more than this. */
  leaseMs: 50,
  /** A slot this late is gone: nobody catches up on what was not sent while nothing was there to be sent. */
  lateMs: 250,
  /** Below this spacing timers are too coarse to tell slots apart; so much may go at once instead. */
  timerMs: 10,
  /** An answer of Redis that takes longer is not waited for: this process goes on with its own share. */
  patienceMs: 250,
  /** A known quota needs no discovering: so long a round trip is assumed when the first uploads go out. */
  firstRoundTripMs: SECOND,
} as const;

/** Every number of the circuit, with its reason. */
export const CIRCUIT = {
  /** More failures in a row than a busy gateway gives by chance. */
  consecutive: 5,
  /** One bad file is no outage, however often it is tried. */
  leastFiles: 2,
  /** The failing share of the last `windowMs`, of at least `leastAttempts` over at least `leastSpanMs`: a burst that was
   * too much for a healthy server is over sooner than that. */
  failingShare: 0.5,
  leastAttempts: 10,
  windowMs: 30 * SECOND,
  leastSpanMs: 5 * SECOND,
  /** A suspicion waits so many round trips for an upload under way to succeed: a server that is merely full does finish some. */
  suspicionRoundTrips: 2,
  leastSuspicionMs: 250,
  mostSuspicionMs: 5 * SECOND,
  /** The first probe; doubles with every one that fails. */
  firstProbeMs: 500,
  /** At most this in a short outage, so that its end is noticed soon: 22 probes in a minute. */
  soonProbeMs: 3 * SECOND,
  /** In a long one a share of its length: noticing its end then costs a fortieth of it. */
  probeShare: 1 / 40,
  lastProbeMs: 30 * SECOND,
} as const;

/** Every number of what a `Retry-After` leads to, with its reason. */
export const GATE = {
  /** A longer wait holds the whole destination; a shorter one only its own job, since the bucket absorbs it. */
  longMs: 2 * SECOND,
  /** Jobs in hand go back rather than keep their places for longer than this. */
  handBackMs: MINUTE,
  /** A wait beyond this is parked: said in the log, and shown by `status` with its end. */
  parkedMs: 15 * MINUTE,
  /** No answer shuts a destination for longer without being asked again. */
  mostMs: 24 * 60 * MINUTE,
} as const;

/** Every number of a quota that is learned, with its reason. */
export const LEARNED = {
  /** Uploads a second: one in half a minute is tried whatever was refused, as a file's own backoff does; faster than this is no
   * quota worth pacing. */
  least: 1 / 30,
  most: 500,
  /** Somebody who takes three a minute shall not refuse four at once: two under way until more than three were accepted. */
  mostUnknown: 2,
  knownAfter: 3,
  /** Quotas are per second or longer: a first refusal after 100 ms says how many a second, not ten times as many. */
  leastSpanMs: 1_000,
  /** Where not even one was accepted before the first refusal. */
  first: 1,
  /** The share of the quota that is used while nothing is tried: refills and our own jitter fit in. */
  below: 0.93,
  /**
   * Accepted uploads at that share (so many, or those of so many seconds), so many on the way up to the quota, and how much more
   * with every one beyond it: one in twenty may be refused, and ten times the quota is found with a hundred uploads. Where it was not
   * reached yet: at once. Chosen by a search over the simulated servers of the tests.
   */
  found: { hold: 18, holdS: 16, climb: 4, growth: 1.03 },
  sought: { hold: 2, holdS: 0, climb: 2, growth: 1.15 },
  /** Of what was being sent when it was refused: the growth of the last moments is not the quota's. */
  reached: 0.97,
  /** Fewer accepted than this measure nothing: a little less then. */
  leastAccepted: 3,
  early: 0.9,
  /** After a refusal: the shortest window that anybody counts in. */
  restMs: 1_000,
  /**
   * A refusal right after a refusal, with nothing accepted in between. So few accepted before may be a minute's worth: three a
   * minute may have three refusals in ten minutes, and one more would be a tenth.
   */
  fewAccepted: 3,
  /** More of them: perhaps some seconds' worth, then a minute's (and a little, for clocks that differ). */
  secondsMs: 9 * SECOND,
  minuteMs: 60.6 * SECOND,
  /** A process that was told of it waits so much longer than the one that found it. */
  followerShare: 1.25,
  /** A refusal that says itself when to come back tells of a rate only when it is not alone for so long. */
  singleMs: 10_000,
  /** A pause this long in the uploads begins the first measurement anew. */
  pauseMs: 2_000,
} as const;
