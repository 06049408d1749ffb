// A socket in front of the container engine's, that can go away and come back while the engine, which is everybody's, stays.
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface EngineSocket {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Nobody listens there any more, and what was connected is cut. */
  away(): Promise<void>;
  back(): Promise<void>;
  /** Goes away when the engine answers the next request whose first line holds `text`; the answer is lost. */
  loseAnswerTo(text: string): void;
  /** From now on a request whose first line holds `text` gets this, with status 200, in the place of the engine's answer. */
  answer(text: string, body: object): void;
  /** The next request whose first line holds `text` is answered like this in the place of the engine, which does not get it. */
  refuse(text: string, status: number, message: string): void;
}

/** `path` is that of the new socket. */
export async function startEngineSocket(path: string): Promise<EngineSocket> {
  const open = new Set<Socket>();
  let server: Server | undefined;
  let losing: string | undefined;
  const answers = new Map<string, string>();
  let refusing: { readonly text: string; readonly answer: string } | undefined;

  async function back(): Promise<void> {
    const listening = createServer((near) => {
      const far = connect('/var/run/docker.sock');
      for (const socket of [near, far]) {
        open.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', (bytes: Buffer) => {
        const [head = ''] = bytes.toString('latin1').split('\r\n', 1);
        if (refusing !== undefined && head.includes(refusing.text)) {
          near.write(refusing.answer);
          refusing = undefined;
          return;
        }
        const answer = [...answers].find(([text]) => head.includes(text))?.[1];
        if (answer !== undefined) {
          near.write(answer);
          return;
        }
        if (losing !== undefined && head.includes(losing)) {
          losing = undefined;
          far.unpipe(near);
          far.once('data', () => void away()).resume();
        }
        far.write(bytes);
      });
      near.once('end', () => far.end());
      far.pipe(near);
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(path, resolve));
  }

  async function away(): Promise<void> {
    const closing = server;
    server = undefined;
    for (const socket of open) socket.destroy();
    if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
    await rm(path, { force: true });
  }

  await back();
  return {
    host: `unix://${path}`,
    back,
    away,
    loseAnswerTo(text) {
      losing = text;
    },
    answer(text, body) {
      answers.set(text, answerOf('200 OK', body));
    },
    refuse(text, status, message) {
      refusing = { text, answer: answerOf(`${String(status)} Refused`, { message }) };
    },
  };
}

function answerOf(status: string, content: object): string {
  const body = JSON.stringify(content);
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
  ];
  return [...head, '', body].join('\r\n');
}
