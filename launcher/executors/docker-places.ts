// Where every run's container has its own files; no mount of a user's may take their place.

/** Folders in the container. */
export const places = {
  workspace: '/mnt/workspace/source',
  home: '/mnt/workspace/home',
  outputs: '/mnt/workspace/output',
} as const;
