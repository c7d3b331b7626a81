import { SlipwayError } from '../../domain/errors.ts';
import { httpFailure, timeoutFailure } from './http-failure.ts';
import { joinedHeaders } from './http-headers.ts';
import type { HttpAnswer } from './http-message.ts';

export interface ExchangeLimits {
  /** From the last byte of the body to the first of the answer. */
  readonly responseTimeoutMs: number;
  /** Longest silence while a body goes out or an answer comes in. */
  readonly idleTimeoutMs: number;
  /** For messages: the connector itself enforces it. */
  readonly connectTimeoutMs: number;
  readonly maxResponseBytes: number;
  /** A larger answer is given as far as it was read, instead of refused. */
  readonly cutAnswer?: boolean | undefined;
  /** For messages: origins of the proxies that requests may go through. */
  readonly proxies: readonly string[];
}

/** The part of undici's controller that an exchange needs. */
interface Controller {
  abort(reason: Error): void;
}

/**
 * - `queued`: no connection yet, not a byte sent → sending, done
 * - `sending`: the body goes out → waiting, answering (an early answer), done
 * - `waiting`: all sent, no answer yet → answering, done
 * - `answering`: headers are here, the body comes in → done
 * - `done`: answered or failed; undici may still call, nothing counts any more
 */
type Phase = 'queued' | 'sending' | 'waiting' | 'answering' | 'done';

/**
 * One request and its answer: the handler undici calls. It owns the time-outs because undici's own are coarse, do not
 * tell sending from waiting, and neither they nor aborts reach a request that still queues for a connection.
 */
export class HttpExchange {
  readonly answer: Promise<HttpAnswer>;
  readonly #limits: ExchangeLimits;
  readonly #origin: string;
  #phase: Phase = 'queued';
  #controller: Controller | null = null;
  #timer: NodeJS.Timeout | null = null;
  #status = 0;
  #headers: Record<string, string | undefined> = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #resolve: (answer: HttpAnswer) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(limits: ExchangeLimits, origin: string) {
    this.#limits = limits;
    this.#origin = origin;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends it now, wherever it is: the caller gets `reason`, the connection is closed. Without effect once done. */
  fail(reason: unknown): void {
    if (this.#phase === 'done') return;
    this.#settle();
    this.#reject(reason);
    this.#controller?.abort(new Error('given up'));
  }

  onRequestStart(controller: Controller): void {
    // Given up while it queued: undici has only now taken it from its queue.
    if (this.#phase === 'done') {
      controller.abort(new Error('given up'));
      return;
    }
    this.#controller = controller;
    this.#phase = 'sending';
    this.#silenceFor(this.#limits.idleTimeoutMs, 'sending');
  }

  onBodySent(): void {
    if (this.#phase === 'sending') this.#timer?.refresh();
  }

  onRequestSent(): void {
    if (this.#phase !== 'sending') return;
    this.#phase = 'waiting';
    this.#silenceFor(this.#limits.responseTimeoutMs, 'waiting for the answer');
  }

  onResponseStart(
    _: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx is not the answer: more follows.
    if (this.#phase === 'done' || status < 200) return;
    this.#phase = 'answering';
    this.#status = status;
    this.#headers = joinedHeaders(headers);
    if (Number(this.#headers['content-length']) > this.#limits.maxResponseBytes) this.#tooLarge();
    else this.#silenceFor(this.#limits.idleTimeoutMs, 'reading the answer');
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#phase !== 'answering') return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.maxResponseBytes) {
      this.#tooLarge();
      return;
    }
    this.#chunks.push(chunk);
    this.#timer?.refresh();
  }

  onResponseEnd(): void {
    if (this.#phase === 'answering') this.#deliver();
  }

  #deliver(): void {
    this.#settle();
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body: whole.toString('utf8') });
  }

  onResponseError(_: Controller, error: unknown): void {
    if (this.#phase === 'done') return;
    this.#settle();
    this.#reject(httpFailure(error, this.#origin, this.#limits.connectTimeoutMs, this.#limits.proxies));
  }

  /** A peer that switches protocols without being asked has nothing to say that we could read. */
  onRequestUpgrade(): void {
    this.fail(new SlipwayError('connection', { reason: `${this.#origin} switched the protocol` }));
  }

  #tooLarge(): void {
    if (this.#limits.cutAnswer === true) {
      this.#deliver();
      this.#controller?.abort(new Error('the rest is not read'));
      return;
    }
    this.fail(new SlipwayError('answer_too_large', { max: this.#limits.maxResponseBytes }));
  }

  #silenceFor(timeoutMs: number, phase: string): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail(timeoutFailure(timeoutMs, phase)), timeoutMs);
  }

  #settle(): void {
    this.#phase = 'done';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
