import type { ZipNames } from '../../domain/batch-source.ts';
import { decoded } from './zip-names.ts';

/** How names are to be read that do not say it. */
export interface NamesGuess {
  readonly names: ZipNames;
  /** Whether another reading is about as likely. */
  readonly sure: boolean;
}

/** Whoever asks knows that the names are neither ASCII nor UTF-8, and are of one maker. */
export function guessZipNames(samples: readonly Buffer[]): NamesGuess {
  const western = westernScore(samples);
  const scores = ENCODINGS.map((encoding) => ({ encoding, score: score(samples, encoding) }));
  scores.sort((a, b) => b.score - a.score);
  const [best, second] = scores;
  if (best === undefined || best.score < LEAST || best.score <= western)
    return { names: 'cp437', sure: western - Math.max(0, best?.score ?? 0) >= MARGIN };
  const rival = Math.max(second?.score ?? 0, western);
  return { names: best.encoding.name, sure: best.score - rival >= MARGIN };
}

/** Points for a character, on the average of all names. */
const LEAST = 0.3;
const MARGIN = 0.4;
const FREQUENT = 2;
const COMMON = 1;
/** Punctuation, full-width letters: in all of them. */
const NEUTRAL = 0.3;
const RARE = -0.5;
const ODD = -1.5;
/** One such character among ASCII letters is an accented letter of another encoding. */
const ALONE = -1;
const ACCENTED = 1.2;
const NO_LETTER = -1.5;

interface DoubleByte {
  readonly name: Exclude<ZipNames, 'utf-8' | 'cp437'>;
  readonly isLead: (byte: number) => boolean;
  /** By the rows of its table: which characters come first in it is how common they are. */
  readonly points: (lead: number, trail: number) => number;
  /** Half-width katakana, in the one that has them. */
  readonly singlePoints: (byte: number) => number;
  /** Those that make up a good part of any text. */
  readonly frequent: ReadonlySet<string>;
}

const within = (byte: number, first: number, last: number): boolean => byte >= first && byte <= last;

/** The rows of GB 2312 and KS X 1001 alike: both bytes from A1 on. */
function eucPoints(lead: number, trail: number, lastCommon: number, lastRare: number): number {
  if (lead < 0xa1 || trail < 0xa1) return ODD;
  if (lead <= 0xa3) return NEUTRAL;
  if (lead < 0xb0) return RARE;
  if (lead <= lastCommon) return COMMON;
  return lead <= lastRare ? RARE : ODD;
}

const ENCODINGS: readonly DoubleByte[] = [
  {
    name: 'shift_jis',
    isLead: (byte) => within(byte, 0x81, 0x9f) || within(byte, 0xe0, 0xfc),
    points(lead, trail) {
      const isKana =
        (lead === 0x82 && within(trail, 0x9f, 0xf1)) || (lead === 0x83 && within(trail, 0x40, 0x96));
      if (isKana) return FREQUENT;
      if (lead <= 0x83) return NEUTRAL;
      if (within(lead, 0x88, 0x97)) return COMMON;
      return within(lead, 0x98, 0xea) ? RARE : ODD;
    },
    singlePoints: () => -1,
    frequent: new Set(
      '日本国大小中上下人年月新書類表文資料報告写真会社画像最終版一覧見積請求契約計画議事録案内説明管理設定仕様店株式学校東京都部品名前第回号用作成者',
    ),
  },
  {
    name: 'gbk',
    isLead: (byte) => within(byte, 0x81, 0xfe),
    points: (lead, trail) => eucPoints(lead, trail, 0xd7, 0xf7),
    singlePoints: () => ODD,
    frequent: new Set(
      '的一是不了在人有我他这中大来上国个到说们为和地出时要就下可以会年生作自文件报告图片照新建夹数据表格资料合同说明发公司部门财务项目计划总结会议记录第月日号版本最终学习工作名单通知产品用户中国北京上海',
    ),
  },
  {
    name: 'big5',
    isLead: (byte) => within(byte, 0x81, 0xfe),
    points(lead) {
      if (within(lead, 0xa1, 0xa3)) return NEUTRAL;
      if (within(lead, 0xa4, 0xc6)) return COMMON;
      return within(lead, 0xc9, 0xf9) ? RARE : ODD;
    },
    singlePoints: () => ODD,
    frequent: new Set(
      '的一是不了在人有我他這中大來上國個到說們為和地出時要就下可以會年生作自文件報告圖片照新建夾數據表格資料合約說明發公司部門財務項目計畫總結會議記錄第月日號版本最終學習工作名單通知產品用戶臺灣台北',
    ),
  },
  {
    name: 'euc-kr',
    isLead: (byte) => within(byte, 0x81, 0xfe),
    points: (lead, trail) => eucPoints(lead, trail, 0xc8, 0xfd),
    singlePoints: () => ODD,
    frequent: new Set(
      '이의가는다고서지사한기로자보인시정대일상구수공문을에하과를도은들나리아해전주제어원장동부성그국년월회의신경계안내표목록사진자료보고서파일새폴더최종본관리학교',
    ),
  },
];

/** −∞ where one of the names is not of that encoding. */
function score(samples: readonly Buffer[], encoding: DoubleByte): number {
  let points = 0;
  let characters = 0;
  for (const bytes of samples) {
    const text = decoded(bytes, encoding.name);
    if (text === null) return Number.NEGATIVE_INFINITY;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte < 0x80) continue;
      characters += 1;
      if (!encoding.isLead(byte)) {
        points += encoding.singlePoints(byte);
        continue;
      }
      points += isAlone(bytes, at, 2) ? ALONE : encoding.points(byte, bytes[at + 1] ?? 0);
      at += 1;
    }
    for (const character of text) if (encoding.frequent.has(character)) points += FREQUENT;
  }
  return points / Math.max(1, characters);
}

/** What cp437 has for letters comes one at a time among ASCII letters; box drawing and Greek do not come at all. */
function westernScore(samples: readonly Buffer[]): number {
  let points = 0;
  let characters = 0;
  for (const bytes of samples)
    for (const [at, byte] of bytes.entries()) {
      if (byte < 0x80) continue;
      characters += 1;
      const isLetter = within(byte, 0x80, 0xa5) || byte === SHARP_S;
      points += isLetter && isAlone(bytes, at, 1) ? ACCENTED : NO_LETTER;
    }
  return points / Math.max(1, characters);
}

const SHARP_S = 0xe1;

/** Between what is ASCII, with a letter at one of its sides. */
function isAlone(bytes: Buffer, at: number, length: number): boolean {
  const before = bytes[at - 1] ?? 0;
  const after = bytes[at + length] ?? 0;
  if (before >= 0x80 || after >= 0x80) return false;
  return isLetter(before) || isLetter(after);
}

function isLetter(byte: number): boolean {
  return within(byte | 0x20, 0x61, 0x7a);
}
