/** Names in zips that do not say how they are encoded. The bytes are Python's: `name.encode(ENCODING)`. */
import { describe, expect, test } from 'vitest';
import { decoded } from '../../../src/intake/archives/zip-names.ts';
import { guessZipNames } from '../../../src/intake/archives/zip-names-guess.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

/** Encoding, text, its bytes. */
const NAMES = [
  ['shift_jis', 'ソース一覧.txt', '835c815b835888ea97972e747874'],
  ['shift_jis', '表.txt', '955c2e747874'],
  ['shift_jis', '見積書_最終版.xlsx', '8ca990cf8f915f8dc58f4994c52e786c7378'],
  ['shift_jis', 'ｶﾀｶﾅ写真.jpg', 'b6c0b6c58eca905e2e6a7067'],
  ['gbk', '新建文件夹', 'd0c2bda8cec4bcfebcd0'],
  ['gbk', '工作报告（2024）.docx', 'b9a4d7f7b1a8b8e6a3a832303234a3a92e646f6378'],
  ['gbk', '简历.pdf', 'bcf2c0fa2e706466'],
  ['big5', '新增資料夾', 'b773bc57b8eaaec6a7a8'],
  ['big5', '會議記錄2024.doc', 'b77cc4b3b04fbffd323032342e646f63'],
  ['big5', '功能說明.txt', 'a55cafe0bba1a9fa2e747874'],
  ['euc-kr', '새 폴더', 'bbf520c6fab4f5'],
  ['euc-kr', '회의록_최종.hwp', 'c8b8c0c7b7cf5fc3d6c1be2e687770'],
  ['euc-kr', '사진.zip', 'bbe7c1f82e7a6970'],
  ['cp437', 'Résumé.txt', '528273756d822e747874'],
  ['cp437', 'Größe.txt', '477294e1652e747874'],
  ['cp437', 'Citroën.txt', '436974726f896e2e747874'],
  ['cp437', 'mañana.txt', '6d61a4616e612e747874'],
  ['cp437', 'Übersicht.txt', '9a62657273696368742e747874'],
  ['cp437', 'Señor Müller à Genève.doc', '5365a46f72204d816c6c657220852047656e8a76652e646f63'],
  ['cp437', 'åäö.txt', '8684942e747874'],
] as const;

describe('the guess', () => {
  test.each(NAMES)('%s: %s', (names, text, hex) => {
    expect(decoded(bytes(hex), names)).toBe(text);
    const guess = guessZipNames([bytes(hex)]);
    expect({ names: guess.names, text: decoded(bytes(hex), guess.names) }).toEqual({ names, text });
  });

  test('all names of an archive decide together: one of them alone may be read in several ways', () => {
    const mixed = [bytes('b8f1 2e 747874'), bytes('d0c2bda8cec4bcfebcd0 2e747874')];
    expect(guessZipNames(mixed)).toEqual({ names: 'gbk', sure: true });
  });

  test('what fits nothing better is cp437, and nobody claims to be sure', () => {
    expect(guessZipNames([bytes('b3c4 ff f0')])).toEqual({ names: 'cp437', sure: false });
  });
});
