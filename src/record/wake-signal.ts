/** A loop's bed: it sleeps here and is woken here. A wake while it is up counts for its next sleep. */
export interface WakeSignal {
  wake(): void;
  /** Returns when woken or after `ms`. */
  sleep(ms: number): Promise<void>;
}

export function createWakeSignal(): WakeSignal {
  let woken = false;
  let rouse: (() => void) | null = null;
  return {
    wake() {
      woken = true;
      rouse?.();
    },
    async sleep(ms) {
      if (!woken && ms > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          rouse = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        rouse = null;
      }
      woken = false;
    },
  };
}
