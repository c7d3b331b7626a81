/** The internal source that files belong to which came in by HTTP. No configured source may have its name. */
export const GATEWAY_SOURCE = 'gateway';

const PATH = /^(file-[0-9a-f]{32})\//;

/** The door's id of a file in its receipt's path, which is `<id>/<name>`; null: this is no such path. */
export function receivedIdIn(path: string): string | null {
  return PATH.exec(path)?.[1] ?? null;
}

/** Whether a text has the form of the door's ids. */
export function isReceivedId(text: string): boolean {
  return receivedIdIn(`${text}/`) === text;
}

/** Name of the queue of those that wait for one destination: each has its own, so that one that is down holds up no other. */
export function receivedQueue(destination: string): string {
  // No configured source can be called so: their names hold no slash.
  return `${GATEWAY_SOURCE}/${destination}`;
}
