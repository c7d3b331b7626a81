import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { ReceivedFile } from '../form/received-file.ts';
import type { Exchange } from '../http/exchange.ts';
import { readText } from '../http/read-body.ts';
import { jsonReply, type Reply, textReply } from '../http/reply.ts';
import { issuesText } from '../issues-text.ts';
import type { ReceivedLog } from '../received-log.ts';
import { faultRuleSchema } from '../trouble/fault-rule.ts';
import type { Faults } from '../trouble/faults.ts';
import type { TokenIssuer } from './token-issuer.ts';

const MAX_RULES_BYTES = 1024 * 1024;
/** Files per write of a listing: enough to be quick, little enough to leave other requests their turn. */
const FILES_PER_WRITE = 500;

const rulesSchema = z.union([z.array(faultRuleSchema), faultRuleSchema.transform((rule) => [rule])]);

export interface ControlContext {
  readonly log: ReceivedLog;
  readonly faults: Faults;
  readonly issuer: TokenIssuer;
}

/**
 * The sandbox's own paths: what arrived, what shall go wrong. False when it is none of them.
 * @param answer sends a reply
 */
export async function control(
  path: string,
  { req, query }: Exchange,
  res: ServerResponse,
  { log, faults, issuer }: ControlContext,
  answer: (reply: Reply) => void,
): Promise<boolean> {
  switch (`${req.method} ${path}`) {
    case 'GET /_received': {
      const summary = log.summary();
      if (query.get('summary') === '1') answer(jsonReply(200, summary));
      else
        await sendFiles(
          res,
          { count: summary.count, bytes: summary.bytes },
          log.files(sinceOf(query.get('since'))),
        );
      return true;
    }
    case 'DELETE /_received':
      log.reset();
      answer(jsonReply(200, log.summary()));
      return true;
    case 'GET /_faults':
      answer(jsonReply(200, faults.report()));
      return true;
    case 'DELETE /_faults':
      faults.clear();
      answer(jsonReply(200, []));
      return true;
    case 'POST /_faults': {
      const rules = rulesSchema.safeParse(jsonOf(await readText(req, MAX_RULES_BYTES)));
      if (rules.success) faults.add(rules.data);
      answer(
        rules.success
          ? jsonReply(200, faults.report())
          : jsonReply(400, { problem: issuesText(rules.error) }),
      );
      return true;
    }
    case 'DELETE /_tokens':
      issuer.revokeAll();
      answer(textReply(200, 'every token issued so far is revoked\n'));
      return true;
    default:
      return false;
  }
}

/** A listing may be a hundred MB: written piece by piece. */
async function sendFiles(res: ServerResponse, totals: object, files: readonly ReceivedFile[]): Promise<void> {
  res.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
  res.write(`${JSON.stringify(totals).slice(0, -1)},"files":[`);
  for (let first = 0; first < files.length && !res.destroyed; first += FILES_PER_WRITE) {
    const piece = JSON.stringify(files.slice(first, first + FILES_PER_WRITE)).slice(1, -1);
    if (res.write(first === 0 ? piece : `,${piece}`)) continue;
    await new Promise<void>((resolve) => {
      res.once('drain', resolve);
      res.once('close', resolve);
    });
  }
  res.end(']}\n');
}

/** A sequence number, or an ISO time. */
function sinceOf(text: string | null): number | string {
  if (text === null) return 0;
  return /^\d+$/.test(text) ? Number(text) : text;
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
