// Lint: strict typed rules for all sources, and the directions in which rooms may import each other.
import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** Room → rooms it must not import. What is not listed is allowed. */
const forbidden = {
  protocol: ['launcher', 'control-plane', 'components', 'examples', 'bench', 'test'],
  launcher: ['control-plane', 'components', 'examples', 'bench', 'test'],
  'control-plane': ['launcher', 'components', 'examples', 'bench', 'test'],
  components: ['launcher', 'control-plane', 'examples', 'bench', 'test'],
};

/** One set of rules per room: a relative path that leads into a forbidden room is refused. */
const directions = Object.entries(forbidden).map(([room, rooms]) => ({
  files: [`${room}/**/*.{ts,tsx}`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(${rooms.join('|')})/`,
            message: `${room}/ must not import this room (see CONTRIBUTING.md, "The rooms")`,
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tools/', '.poolwright/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ExportDefaultDeclaration',
          message: 'Export by name: a thing is called the same everywhere.',
        },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // It recurses without end on types that hold themselves, such as those of a GraphQL schema.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  ...directions,
  {
    files: ['*.config.{js,ts}'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['scripts/**/*.mjs', '*.config.js'],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['control-plane/web/assets/**'],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ['test/**/*.{ts,tsx}'],
    rules: {
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
