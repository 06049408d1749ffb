// Reading what need not be there. That it is not there is an answer; any other fault, such as too many open files or a
// broken disk, is none, and must not be taken for it.

/** Of files and folders; ESRCH is what /proc says of a process that is just ending. */
const absent: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ESRCH']);

/** What was read; `otherwise` when it is not there. Rejects with any other fault. */
export function ifThere<Value, Otherwise>(
  reading: Promise<Value>,
  otherwise: Otherwise,
): Promise<Value | Otherwise> {
  return reading.catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && absent.has(error.code)) return otherwise;
    throw error;
  });
}
