// Checks a signature of version 4 as AWS describes it, independently of the library that made it.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
import { createHash, createHmac } from 'node:crypto';
import type { Asked } from './service.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

export function isSigned({ method, url, headers, body }: Asked, secret: string): boolean {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8}\/([^/]+)\/([^/]+)\/aws4_request), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  if (match === null) return false;
  const [, , scope = '', region = '', service = '', signed = '', signature] = match;
  const names = signed.split(';');
  if (!names.includes('host') || !names.includes('x-amz-security-token')) return false;
  const canonical = names.map((name) => `${name}:${String(headers[name]).trim()}\n`).join('');
  const request = [method, url, '', canonical, signed, sha256(body)].join('\n');
  const date = String(headers['x-amz-date']);
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(request)].join('\n');
  const key = [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${secret}`, date.slice(0, 8)));
  return hmac(key, text).toString('hex') === signature;
}
