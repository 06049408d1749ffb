// A name of its own, so that whoever only has to know it loads nothing else.

/**
 * `launcher worker [FILE SHA256]`, with a channel of Node's (NODE_CHANNEL_FD): the worker process. With a file it is that
 * bundle's, which is then started as if by `launcher worker`.
 */
export const workerCommand = 'worker';
