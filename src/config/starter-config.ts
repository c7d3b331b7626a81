import { SANDBOX } from './sandbox-destination.ts';

/** What a first config file is made of. */
export interface StarterAnswers {
  /** As it is to be written: relative to the file, or absolute. */
  readonly folder: string;
  /** A preset, or `sandbox`. */
  readonly to: string;
  /** The environment variable with the key; null: as the preset has it. */
  readonly keyVariable: string | null;
  readonly fields: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, string>>;
  readonly url: string | null;
  /** It was said that everybody may read the files; null: there is no need to say so. */
  readonly acknowledgePublic: true | null;
  /** Whether the API says when a file can be used. */
  readonly canWait: boolean;
  /** Who is told; null: nobody. */
  readonly webhook: string | null;
}

/** The variable that signs webhooks of a first config; its value is in `.env` beside the file. */
export const STARTER_SECRET = 'SLIPWAY_WEBHOOK_SECRET';

/** A config file for these answers, each part with its sentence. It passes `slipway config check` as it stands. */
export function starterConfig(answers: StarterAnswers): string {
  const { folder, to } = answers;
  return [
    '# Made by `slipway init`. `slipway config check` names every mistake, `slipway run` starts it.',
    '# Every other key, with what it means when left out: config/example.yaml of the package; `slipway config schema`.',
    '',
    '# What Slipway remembers. Losing it means uploading everything again.',
    'dataDir: .slipway',
    '',
    ...(to === SANDBOX ? SANDBOX_NOTE : destinationLines(answers)),
    'sources:',
    '  inbox:',
    `    path: ${quoted(folder)}`,
    `    destination: ${quoted(to)}`,
    '    settle: 2s              # unchanged for this long means written to the end',
    '    # ignore: ["**/*.draft"]          # on top of the built-in list (.DS_Store, *.part, *.tmp …)',
    '    # onSuccess: { moveTo: ./done }   # or delete; left out: the file stays where it is',
    '    # manifest: ./results.json        # left out: beside the folder, FOLDER.manifest.json',
    ...webhookLines(answers.webhook),
    '',
  ].join('\n');
}

const SANDBOX_NOTE = [
  '# A trial: `sandbox` is a stand-in with the shape of OpenAI’s file API, in the process of `slipway run` itself. What it',
  '# takes is gone with it. To send files for real, put the name of a preset here (`slipway destinations list`).',
];

function destinationLines(answers: StarterAnswers): string[] {
  const { to, keyVariable, fields, params, url, acknowledgePublic, canWait } = answers;
  const lines = [
    '# Where files go. `slipway destinations show NAME` prints all that is known of it; `slipway destinations test NAME` tries it.',
    'destinations:',
    `  ${quoted(to)}:`,
    `    preset: ${quoted(to)}`,
  ];
  if (url !== null) lines.push(`    url: ${quoted(url)}`);
  if (Object.keys(params).length > 0) lines.push(`    params: ${mapping(params)}`);
  if (Object.keys(fields).length > 0) lines.push(`    fields: ${mapping(fields)}`);
  if (keyVariable !== null) {
    lines.push(
      '    # The name of the variable, not the key: set it in the environment, or as NAME=… in .env beside this file.',
      `    token: { env: ${quoted(keyVariable)} }`,
    );
  }
  if (canWait)
    lines.push('    # waitUntilReady: true  # uploaded means: the service says that it can be used');
  if (acknowledgePublic !== null)
    lines.push('    acknowledgePublic: true # anyone who has the URL of an uploaded file can read it');
  return [...lines, '', '# The folders to watch.'];
}

function webhookLines(url: string | null): string[] {
  if (url === null) return [];
  return [
    '',
    '# Who is told what has settled (`slipway webhooks test pipeline` tries it). A name stays: what was told hangs on it.',
    'webhooks:',
    '  - name: pipeline',
    `    url: ${quoted(url)}`,
    `    secret: $\{${STARTER_SECRET}}     # in .env beside this file; the receiver verifies with it`,
    '    events: [file.uploaded, file.failed, batch.completed]',
  ];
}

/** Of what a person typed nothing is a variable, or anything else of YAML. */
function quoted(text: string): string {
  return JSON.stringify(text.replaceAll('${', () => '$${'));
}

function mapping(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([key, value]) => `${quoted(key)}: ${quoted(value)}`);
  return `{ ${pairs.join(', ')} }`;
}
