/** DEL and the C1 controls: JSON allows them as they are, and a terminal acts on some of them. */
const CONTROLS = /[\u007f-\u009f]/g;

/** A value as JSON text that no terminal acts on: what JSON leaves of control characters is escaped too. */
export function jsonText(value: unknown, indent?: number): string {
  return withoutControls(JSON.stringify(value, null, indent));
}

/** The same as one line. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** For JSON text that came from elsewhere; inside and outside of strings nothing else may hold such characters. */
export function withoutControls(json: string): string {
  return json.replace(CONTROLS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
