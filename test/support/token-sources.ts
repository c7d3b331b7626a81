import type { OpenTokenSource } from '../../src/destinations/token/token-source.ts';

/** A token source whose readings the test answers one by one. */
export interface ScriptedSource extends OpenTokenSource {
  /** Readings begun so far. */
  readonly begun: number;
  /** Readings under way at this moment. */
  readonly underWay: number;
  /** Ends the oldest reading under way with this token, or makes it fail. */
  give(token: string | Error): void;
  setChanged(changed: boolean): void;
}

export function scriptedSource(expires = true): ScriptedSource {
  const waiting: { resolve(token: string): void; reject(error: Error): void }[] = [];
  let begun = 0;
  let changed = false;
  return {
    where: 'the test',
    expires,
    cheap: true,
    get begun() {
      return begun;
    },
    get underWay() {
      return waiting.length;
    },
    read(signal) {
      begun += 1;
      return new Promise((resolve, reject) => {
        const entry = { resolve, reject };
        waiting.push(entry);
        signal.addEventListener('abort', () => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal.reason);
        });
      });
    },
    changed: () => Promise.resolve(changed),
    give(token) {
      const next = waiting.shift();
      if (next === undefined) throw new Error('no reading is under way');
      if (token instanceof Error) next.reject(token);
      else next.resolve(token);
    },
    setChanged(value) {
      changed = value;
    },
  };
}

/** An unsigned JWT that ends at this moment. */
export function jwtUntil(endsAtMs: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: endsAtMs / 1000 })}.c2lnbmF0dXJl`;
}
