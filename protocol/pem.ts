// Reads PEM as people paste it: with a byte order mark, Windows line ends, indentation, text around it,
// or with its line ends lost in a variable.
import { PoolwrightError, type ErrorCode } from './errors.js';

export interface PemBlock {
  /** Such as `CERTIFICATE`. */
  readonly label: string;
  readonly der: Buffer;
  /** Clean PEM: 64 columns, LF. */
  readonly pem: string;
  /** True when the block says that a passphrase protects it. */
  readonly encrypted: boolean;
}

/** What is expected of a text, and how to speak of it in an error. */
export interface PemExpectation {
  readonly code: ErrorCode;
  /** Start of the sentence, such as `The certificate signing request`. */
  readonly what: string;
  readonly labels: readonly string[];
}

/** Longest text that is looked at, in characters. A request for RSA-4096 has about 1,700. */
const maximum = 64 * 1024;

const begin = '-----BEGIN ';
const dashes = '-----';

/** All blocks of a text. Throws `code` when the text is too long or a block is cut or not base64. */
export function pemBlocks(text: string, code: ErrorCode, what: string): PemBlock[] {
  if (text.length > maximum) {
    throw new PoolwrightError(
      code,
      `${what} has ${String(text.length)} characters, expected at most ${String(maximum)}.`,
    );
  }
  // A PEM copied out of JSON has the two characters \n in place of line ends.
  const plain = text.replaceAll('\\r', '').replaceAll('\\n', '\n');
  const blocks: PemBlock[] = [];
  let place = plain.indexOf(begin);
  while (place >= 0) {
    const labelStart = place + begin.length;
    const labelEnd = plain.indexOf(dashes, labelStart);
    const label = labelEnd < 0 ? '' : plain.slice(labelStart, labelEnd);
    const end = `${dashes}END ${label}${dashes}`;
    const bodyEnd = /^[A-Z0-9 ]{1,64}$/.test(label) ? plain.indexOf(end, labelEnd) : -1;
    if (bodyEnd < 0) {
      throw new PoolwrightError(code, `${what} is cut: a PEM block begins and has no end. Copy it whole.`);
    }
    blocks.push(readBlock(label, plain.slice(labelEnd + dashes.length, bodyEnd), code, what));
    place = plain.indexOf(begin, bodyEnd + end.length);
  }
  return blocks;
}

/** The one block of a text. Throws `code`, naming what was found, when there is none, another kind or several. */
export function onlyBlock(text: string, { code, what, labels }: PemExpectation): PemBlock {
  const blocks = pemBlocks(text, code, what);
  const expected = article(labels[0] ?? '');
  const [block] = blocks;
  if (block === undefined) {
    throw new PoolwrightError(
      code,
      `${what} holds no PEM block. Expected ${expected}, which starts with "-----BEGIN ${labels[0] ?? ''}-----".`,
    );
  }
  if (blocks.length > 1) {
    const found = blocks.map(({ label }) => article(label)).join(', ');
    throw new PoolwrightError(
      code,
      `${what} holds ${String(blocks.length)} PEM blocks (${found}). Expected ${expected} alone.`,
    );
  }
  if (!labels.includes(block.label)) {
    throw new PoolwrightError(code, `${what} is ${article(block.label)}. Expected ${expected}.`);
  }
  return block;
}

/** A PEM label in words, such as `a private key`. */
export function article(label: string): string {
  if (label.endsWith('PRIVATE KEY')) return 'a private key';
  if (label.endsWith('PUBLIC KEY')) return 'a public key';
  if (label.endsWith('CERTIFICATE REQUEST')) return 'a certificate signing request';
  if (label.endsWith('CERTIFICATE')) return 'a certificate';
  return `a PEM block "${label}"`;
}

/** DER as PEM with 64 columns and LF. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?!$)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

function readBlock(label: string, body: string, code: ErrorCode, what: string): PemBlock {
  // Headers such as "Proc-Type: 4,ENCRYPTED" end with an empty line.
  const headersEnd = body.includes(':') ? /\r?\n[ \t]*\r?\n/.exec(body) : null;
  const headers = headersEnd === null ? '' : body.slice(0, headersEnd.index);
  const base64 = body.slice(headersEnd === null ? 0 : headersEnd.index).replaceAll(/\s/g, '');
  if (base64.length === 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new PoolwrightError(code, `${what} is damaged: the PEM block is not base64. Copy it anew.`);
  }
  const der = Buffer.from(base64, 'base64');
  const encrypted = label === 'ENCRYPTED PRIVATE KEY' || headers.includes('ENCRYPTED');
  return { label, der, pem: toPem(label, der), encrypted };
}
