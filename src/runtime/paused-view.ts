import { type Pause, pauseText } from '../domain/pause-list.ts';
import type { OnceView } from './once-end.ts';

/** A destination as `--once` sees it: what the user has paused gets nowhere, and says so. */
export function whilePaused(view: OnceView, pause: () => Pause | null): OnceView {
  return {
    ...view,
    trouble() {
      const paused = pause();
      return paused === null ? view.trouble() : pauseText(paused);
    },
    troubleSinceMs() {
      const paused = pause();
      return paused === null ? view.troubleSinceMs() : Date.parse(paused.since);
    },
  };
}
