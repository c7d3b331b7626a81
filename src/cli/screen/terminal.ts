/** What a person sees on stderr: lines that stay, and one line at the bottom that is redrawn. */
export interface Terminal {
  readonly columns: number;
  /** Prints a line above the progress line. */
  say(line: string): void;
  /** Redraws the bottom line. */
  progress(line: string): void;
  /** Removes the bottom line. */
  end(): void;
}

const CLEAR_LINE = '\r\u001b[2K';

/** @param stream a TTY; one that moves no cursor (TERM=dumb) gets the lines that stay alone */
export function openTerminal(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Terminal {
  const isDumb = isDumbTerminal(env);
  let shown = '';
  return {
    get columns() {
      return stream.columns > 0 ? stream.columns : 80;
    },
    say(line) {
      stream.write(`${shown === '' ? '' : CLEAR_LINE}${line}\n${shown}`);
    },
    progress(line) {
      if (line === shown || isDumb) return;
      stream.write(`${CLEAR_LINE}${line}`);
      shown = line;
    },
    end() {
      if (shown !== '') stream.write(CLEAR_LINE);
      shown = '';
    },
  };
}

export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  faint(text: string): string;
}

/** A terminal that knows neither colours nor how to go back in a line. */
export function isDumbTerminal(env: NodeJS.ProcessEnv): boolean {
  return env.TERM === 'dumb';
}

/** Colour where the stream shows it and NO_COLOR (any value but the empty one) does not forbid it. */
export function paintFor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Paint {
  const colour = stream.isTTY && !isDumbTerminal(env) && (env.NO_COLOR === undefined || env.NO_COLOR === '');
  const wrap = (code: string) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: wrap('32'), bad: wrap('31'), faint: wrap('2') };
}

/**
 * File names may hold control characters, and format characters that turn the order of a line round or hide a part of it
 * (Unicode categories Cc, Cf, Zl, Zp): a terminal must never act on them.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = (char.codePointAt(0) ?? 0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`;
  });
}
