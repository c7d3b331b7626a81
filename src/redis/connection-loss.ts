import type { Redis } from 'ioredis';
import { asCluster } from './redis-connection.ts';

/** Tells when the server behind a connection may no longer be the one, or hold what it held. */
export interface ConnectionLoss {
  /** The connection is gone. @returns what ends that */
  onLost(listener: () => void): () => void;
  /** It is there again after it was lost. @returns what ends that */
  onBack(listener: () => void): () => void;
}

/** Many nodes, or many connections to one, go at the same time. */
const CLUSTER_PAUSE_MS = 100;

/** Watches it for as long as it lives. */
export function watchForLoss(connection: Redis): ConnectionLoss {
  const whenLost = new Set<() => void>();
  const whenBack = new Set<() => void>();
  const tell = (listeners: ReadonlySet<() => void>): void => {
    for (const listener of [...listeners]) listener();
  };
  if (asCluster(connection) === null)
    watchServer(
      connection,
      () => tell(whenLost),
      () => tell(whenBack),
    );
  else
    watchNodes(
      connection,
      () => tell(whenLost),
      () => tell(whenBack),
    );

  const joined = (listeners: Set<() => void>) => (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { onLost: joined(whenLost), onBack: joined(whenBack) };
}

function watchServer(connection: Redis, lost: () => void, back: () => void): void {
  let isLost = false;
  connection.on('close', () => {
    isLost = true;
    lost();
  });
  connection.on('ready', () => {
    if (!isLost) return;
    isLost = false;
    back();
  });
}

/**
 * A Cluster stays `ready` while one of its nodes dies and a replica, which may lack what was written last, takes its
 * place. What is asked of it meanwhile waits for the new node, so that nobody has to.
 */
function watchNodes(connection: Redis, lost: () => void, back: () => void): void {
  let isTold = false;
  const seen = new WeakSet<Redis>();

  function gone(): void {
    lost();
    if (isTold) return;
    isTold = true;
    setTimeout(() => {
      isTold = false;
      back();
    }, CLUSTER_PAUSE_MS).unref();
  }

  function watch(node: Redis): void {
    if (seen.has(node)) return;
    seen.add(node);
    node.on('close', () => {
      if (!node.options.readOnly) gone();
    });
  }
  for (const node of asCluster(connection)?.nodes() ?? []) watch(node);
  connection.on('+node', watch);
}
