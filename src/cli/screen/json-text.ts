import { jsonText } from './json-line.ts';

/** Strings, punctuation, and the rest (numbers, true, false, null) of a JSON text. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const INDENT = '  ';

/**
 * A JSON text indented by two spaces, as Python's `json.dumps(indent=2, ensure_ascii=False)` writes it: characters as they
 * are instead of `\uXXXX`. Numbers stay as they came: parsed, large ids would lose their last digits.
 * @param text valid JSON; anything else comes back as it is
 * @param clean what every string, or the whole text where it is no JSON, passes through
 */
export function indentedJson(text: string, clean: (text: string) => string = (same) => same): string {
  try {
    JSON.parse(text);
  } catch {
    return clean(text);
  }
  let depth = 0;
  let out = '';
  let before = '';
  const newLine = (): string => `\n${INDENT.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') {
      depth -= 1;
      // An empty group stays on its line.
      out += before === '{' || before === '[' ? token : newLine() + token;
    } else {
      if (before === '{' || before === '[' || before === ',') out += newLine();
      if (token === '{' || token === '[') depth += 1;
      out += token === ':' ? ': ' : token.startsWith('"') ? jsonText(clean(JSON.parse(token))) : token;
    }
    before = token;
  }
  return out;
}
