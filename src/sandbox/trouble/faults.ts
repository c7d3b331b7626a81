import type { ApiName, FaultRule, Operation } from './fault-rule.ts';
import { type Random, seededRandom } from './seeded-random.ts';

interface ArmedRule {
  readonly rule: FaultRule;
  seen: number;
  struck: number;
}

/** A rule with how often it matched and how often it struck. */
export type FaultReport = FaultRule & { readonly seen: number; readonly struck: number };

/** Decides which request goes wrong. The first rule in the list that strikes wins; the others only count. */
export class Faults {
  #armed: ArmedRule[] = [];
  readonly #random: Random;

  constructor(rules: readonly FaultRule[], seed: number) {
    this.#random = seededRandom(seed);
    this.add(rules);
  }

  add(rules: readonly FaultRule[]): void {
    for (const rule of rules) this.#armed.push({ rule, seen: 0, struck: 0 });
  }

  clear(): void {
    this.#armed = [];
  }

  report(): FaultReport[] {
    return this.#armed.map(({ rule, seen, struck }) => ({ ...rule, seen, struck }));
  }

  /** The fault of a request whose head is in, or null. Rules that name a file are not asked yet. */
  ofRequest(api: ApiName, operation: Operation): FaultRule | null {
    if (this.#armed.length === 0) return null;
    return this.#choose((rule) => rule.filename === undefined && matches(rule, api, operation));
  }

  /** The fault of a request whose file name is known by now, or null. */
  ofFile(api: ApiName, operation: Operation, filename: string): FaultRule | null {
    if (this.#armed.length === 0) return null;
    return this.#choose((rule) => rule.filename === filename && matches(rule, api, operation));
  }

  #choose(applies: (rule: FaultRule) => boolean): FaultRule | null {
    let chosen: FaultRule | null = null;
    for (const armed of this.#armed) {
      if (!applies(armed.rule)) continue;
      armed.seen += 1;
      if (chosen !== null || !this.#strikes(armed)) continue;
      armed.struck += 1;
      chosen = armed.rule;
    }
    return chosen;
  }

  #strikes({ rule, seen, struck }: ArmedRule): boolean {
    const nth = seen - rule.after;
    if (nth <= 0) return false;
    if (rule.times !== undefined && struck >= rule.times) return false;
    if (rule.every !== undefined && nth % rule.every !== 0) return false;
    return rule.probability === undefined || this.#random() < rule.probability;
  }
}

function matches(rule: FaultRule, api: ApiName, operation: Operation): boolean {
  if (rule.action === 'token' && api !== 'token') return false;
  if (rule.api !== '*' && rule.api !== api) return false;
  return rule.operation === undefined || rule.operation === operation;
}
