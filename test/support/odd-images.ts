// Images in which no run can be executed, made by hand from a tar.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Place of a program's architecture in its head (ELF, `e_machine`), and two values of it. */
const machineOffset = 18;
const machines = { x86_64: 62, aarch64: 183 } as const;

/** A program like busybox, but for the other processor architecture. */
export function otherArchitecture(file: string): void {
  const bytes = readFileSync('/bin/busybox');
  const own = bytes.readUInt16LE(machineOffset);
  bytes.writeUInt16LE(own === machines.x86_64 ? machines.aarch64 : machines.x86_64, machineOffset);
  writeFileSync(file, bytes, { mode: 0o755 });
}

/** Fills the root folder of an image. */
export type Fill = (bin: string) => void;

export const without: Fill = () => undefined;
export const shellOfOtherArchitecture: Fill = (bin) => {
  otherArchitecture(join(bin, 'sh'));
};
export function makeImage(name: string, fill: Fill): void {
  const root = mkdtempSync(join(tmpdir(), 'poolwright-image-'));
  try {
    chmodSync(root, 0o755);
    for (const folder of ['bin', 'mnt', 'tmp']) mkdirSync(join(root, folder));
    fill(join(root, 'bin'));
    const archive = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
    execFileSync('docker', ['import', '-', name], { input: archive, stdio: ['pipe', 'ignore', 'inherit'] });
  } finally {
    rmSync(root, { recursive: true });
  }
}
