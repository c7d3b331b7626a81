/** The signal's reason as an Error; libraries that take a reason accept nothing else. */
export function abortErrorOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

/**
 * Calls back once when the signal fires, at once when it already has.
 * @returns stops listening; a signal that outlives its listeners would keep them all in memory
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => {};
  }
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}

/**
 * Waits, unless the signal fires first: then it throws the signal's reason.
 * @param delayMs at most 2^31 - 1, the longest a Node timer can hold
 */
export function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      stopListening();
      resolve();
    }, delayMs);
    const stopListening = onAbort(signal, () => {
      clearTimeout(timer);
      reject(abortErrorOf(signal));
    });
  });
}
