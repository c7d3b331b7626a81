/** Enough of the Dockerfile grammar to check one: comments, continued lines, exec form, stages. */

export interface Instruction {
  /** 1-based. */
  readonly line: number;
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly image: string;
  readonly alias: string | null;
  readonly instructions: readonly Instruction[];
}

const INSTRUCTIONS = new Set(
  'FROM RUN CMD LABEL EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL HEALTHCHECK SHELL'.split(
    ' ',
  ),
);

/** Throws on a line that is no instruction, and on anything but ARG before the first FROM. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { image: string; alias: string | null; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.name === 'FROM') {
      const match = /^(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+([a-z][a-z0-9-_.]*))?$/i.exec(instruction.rest);
      if (match?.[1] === undefined)
        throw new Error(`line ${instruction.line}: not a FROM: ${instruction.rest}`);
      stages.push({ image: match[1], alias: match[2] ?? null, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined && instruction.name !== 'ARG')
      throw new Error(`line ${instruction.line}: before FROM`);
    stage?.instructions.push(instruction);
  }
  return stages;
}

/** The words of an exec form (`["a", "b"]`); throws on the shell form, which takes signals away from the program. */
export function execForm(rest: string): readonly string[] {
  const words: unknown = JSON.parse(rest);
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    throw new Error(`not words: ${rest}`);
  return words;
}

function instructionsOf(text: string): readonly Instruction[] {
  const found: Instruction[] = [];
  let open: { line: number; text: string } | null = null;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    open =
      open === null ? { line: index + 1, text: line } : { line: open.line, text: `${open.text} ${line}` };
    if (open.text.endsWith('\\')) {
      open = { ...open, text: open.text.slice(0, -1).trimEnd() };
      continue;
    }
    const [name = '', ...rest] = open.text.split(/\s+/);
    if (!INSTRUCTIONS.has(name)) throw new Error(`line ${open.line}: unknown instruction ${name}`);
    found.push({ line: open.line, name, rest: rest.join(' ') });
    open = null;
  }
  if (open !== null) throw new Error(`line ${open.line}: ends with a backslash`);
  return found;
}
