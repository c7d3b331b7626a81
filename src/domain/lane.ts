/**
 * How a file came to be known.
 * - `live`: it was dropped, or changed, while its source was watched
 * - `backlog`: it lay there already when the folder was first looked through, or belongs to a batch
 */
export type Arrival = 'live' | 'backlog';

/**
 * Where a job stands in its source's queue.
 * - `backlog`: it was found, and waits in line
 * - `live`: it came live, and waits in line: there was nothing much to go before
 * - `front`: it came live, and goes before all that waits in line
 */
export type Lane = 'backlog' | 'live' | 'front';
