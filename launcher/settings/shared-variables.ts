// Variables that the launcher reads and that are not its own settings: other programs read them, too, or it hands them on
// to one that it starts. `launcher --help` has them, and docs/launcher.md.

export interface SharedVariable {
  readonly name: string;
  /** For people: one or two sentences. */
  readonly meaning: string;
  /** What counts when it is absent, as users read it. */
  readonly otherwise: string;
}

export const sharedVariables: readonly SharedVariable[] = [
  {
    name: 'DOCKER_HOST',
    meaning: 'Address of the container engine, unix:///path or tcp://host:port (without TLS).',
    otherwise: 'unix:///var/run/docker.sock',
  },
  {
    name: 'NODE_EXTRA_CA_CERTS',
    meaning:
      'File with certificates (PEM) of authorities that are trusted besides the usual ones: by the connection to the control plane, by https proxies, and by Git over https.',
    otherwise: 'none',
  },
  {
    name: 'SSL_CERT_FILE',
    meaning: 'The same. Both may be set, and both count.',
    otherwise: 'none',
  },
  {
    name: 'GIT_SSL_CAINFO',
    meaning:
      'File with all authorities that Git over https trusts, in the place of those above and of the system.',
    otherwise: "the system's, and those above",
  },
  {
    name: 'GIT_SSH_COMMAND',
    meaning: 'Command by which Git connects to repositories over ssh, with its options: keys, known hosts.',
    otherwise: 'ssh',
  },
  {
    name: 'SSH_AUTH_SOCK',
    meaning: 'Socket of the agent whose keys Git over ssh logs in with.',
    otherwise: 'none',
  },
  {
    name: 'POOLWRIGHT_POLICY_ENGINE',
    meaning: 'Path of the program that evaluates run initialization policies.',
    otherwise: 'the one inside of an executable launcher, or beside the launcher',
  },
];
