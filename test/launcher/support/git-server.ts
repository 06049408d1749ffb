// Git over HTTP, or HTTPS, by git's own `http-backend`, with one repository of one file.
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface GitServer {
  readonly port: number;
  /** Paths that were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

/**
 * Serves `repository.git`, whose branch main has the file `greeting`. `folder` is an empty one. `tls`: certificate and key
 * (PEM) of an HTTPS server.
 */
export async function startGitServer(
  folder: string,
  tls?: { readonly certificate: string; readonly privateKey: string },
): Promise<GitServer> {
  const work = join(folder, 'work');
  const git = (...args: string[]) => run('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
  await git('init', '--quiet', '--initial-branch=main', work);
  await writeFile(join(work, 'greeting'), 'hello from the repository\n');
  await git('-C', work, 'add', '.');
  await git('-C', work, 'commit', '--quiet', '-m', 'first');
  await git('clone', '--quiet', '--bare', work, join(folder, 'repository.git'));
  const asked: string[] = [];
  const answer: http.RequestListener = (request, response) => {
    const url = new URL(request.url ?? '/', 'http://git');
    asked.push(url.pathname);
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        REQUEST_METHOD: request.method,
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    request.pipe(backend.stdin);
    void backend.stdout.toArray().then((parts: Buffer[]) => {
      // A CGI answer (RFC 3875): header lines, an empty line, the body.
      const text = Buffer.concat(parts);
      const border = text.indexOf('\r\n\r\n');
      for (const line of text.subarray(0, border).toString().split('\r\n')) {
        const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
        if (name.toLowerCase() === 'status') response.statusCode = Number(value.slice(0, 3));
        else if (name !== '') response.setHeader(name, value);
      }
      response.end(text.subarray(border + 4));
    });
  };
  const server =
    tls === undefined
      ? http.createServer(answer)
      : https.createServer({ cert: tls.certificate, key: tls.privateKey }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}
