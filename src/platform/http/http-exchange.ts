import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { SlipwayError } from '../../domain/errors.ts';
import { answerText } from './answer-text.ts';
import { httpFailure, timeoutFailure } from './http-failure.ts';
import { joinedHeaders } from './http-headers.ts';
import type { HttpAnswer } from './http-message.ts';

export interface ExchangeLimits {
  /** From the last byte of the body to the last of the answer. */
  readonly responseTimeoutMs: number;
  /** Longest silence while a body goes out or an answer comes in. */
  readonly idleTimeoutMs: number;
  /** For messages: the connector itself enforces it. */
  readonly connectTimeoutMs: number;
  readonly maxResponseBytes: number;
  /** An answer that is larger, takes too long or breaks off is given as far as it was read, instead of refused. */
  readonly cutAnswer?: boolean | undefined;
  /** For messages: origins of the proxies that requests may go through. */
  readonly proxies: readonly string[];
}

/** Of an answer whose status is what counts, the body is read for no longer: whoever trickles takes up a connection. */
const CUT_ANSWER_MS = 1_000;

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
  /** Ends a silence. */
  #timer: NodeJS.Timeout | null = null;
  /** Ends the whole answer, however busily it trickles. */
  #deadline: NodeJS.Timeout | null = null;
  #early = false;
  #unsentBytes: () => number = () => 0;
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

  /**
   * Ends it now, wherever it is: the caller gets `reason`, or an answer whose status is there and counts; the connection
   * is closed. Without effect once done.
   */
  fail(reason: unknown): void {
    if (this.#phase === 'done' || this.#isCutShort()) return;
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
    // A body in one Buffer was only handed to the socket: what the system has not taken, nobody can have read.
    this.#unsentBytes = unsentBytesOfLast();
    if (this.#phase !== 'sending') return;
    this.#phase = 'waiting';
    this.#silenceFor(this.#limits.responseTimeoutMs, 'waiting for the answer');
    this.#answerWithin();
  }

  onResponseStart(
    _: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx is not the answer: more follows.
    if (this.#phase === 'done' || status < 200) return;
    this.#early = this.#phase !== 'waiting' || this.#unsentBytes() > 0;
    this.#phase = 'answering';
    this.#status = status;
    this.#headers = joinedHeaders(headers);
    if (Number(this.#headers['content-length']) > this.#limits.maxResponseBytes) this.#tooLarge();
    else if (this.#limits.cutAnswer === true) this.#silenceFor(CUT_ANSWER_MS, 'reading the answer');
    else this.#silenceFor(this.#limits.idleTimeoutMs, 'reading the answer');
    this.#answerWithin();
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (this.#phase !== 'answering') return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.maxResponseBytes) {
      this.#tooLarge();
      return;
    }
    this.#chunks.push(chunk);
    if (this.#limits.cutAnswer !== true) this.#timer?.refresh();
  }

  onResponseEnd(): void {
    if (this.#phase === 'answering') this.#deliver();
  }

  #deliver(): void {
    this.#settle();
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const { maxResponseBytes, cutAnswer } = this.#limits;
    const decoded = answerText(whole, this.#headers, maxResponseBytes);
    if (decoded.kind === 'too-large' && cutAnswer !== true) this.#reject(tooLarge(maxResponseBytes));
    else {
      const body = decoded.kind === 'text' ? decoded.text : '';
      this.#resolve({ status: this.#status, headers: this.#headers, body, early: this.#early });
    }
  }

  onResponseError(_: Controller, error: unknown): void {
    if (this.#phase === 'done' || this.#isCutShort()) return;
    this.#settle();
    this.#reject(httpFailure(error, this.#origin, this.#limits.connectTimeoutMs, this.#limits.proxies));
  }

  /** A peer that switches protocols without being asked has nothing to say that we could read. */
  onRequestUpgrade(): void {
    this.fail(new SlipwayError('connection', { reason: `${this.#origin} switched the protocol` }));
  }

  #tooLarge(): void {
    this.fail(tooLarge(this.#limits.maxResponseBytes));
  }

  /** Gives the answer as far as it was read, where that is enough. */
  #isCutShort(): boolean {
    if (this.#limits.cutAnswer !== true || this.#phase !== 'answering') return false;
    this.#deliver();
    this.#controller?.abort(new Error('the rest is not read'));
    return true;
  }

  #silenceFor(timeoutMs: number, phase: string): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail(timeoutFailure(timeoutMs, phase)), timeoutMs);
  }

  /** From the last byte sent, or from the first of an answer that did not wait for it. */
  #answerWithin(): void {
    const { responseTimeoutMs } = this.#limits;
    this.#deadline ??= setTimeout(
      () => this.fail(timeoutFailure(responseTimeoutMs, 'reading the whole answer')),
      responseTimeoutMs,
    );
  }

  #settle(): void {
    this.#phase = 'done';
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#timer = null;
    this.#deadline = null;
  }
}

function tooLarge(maxBytes: number): SlipwayError {
  return new SlipwayError('answer_too_large', { max: maxBytes });
}

/** The socket that undici has just written a head to: it tells no handler which one that is. */
let lastSocket: Socket | null = null;
subscribe('undici:client:sendHeaders', (message) => {
  lastSocket = (message as { readonly socket: Socket }).socket;
});

/** Of the socket just written to; undici tells of a body in one Buffer in the same turn in which it writes it. */
function unsentBytesOfLast(): () => number {
  const socket = lastSocket;
  lastSocket = null;
  return () => socket?.writableLength ?? 0;
}
