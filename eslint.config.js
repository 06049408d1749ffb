// Lint: strict typed rules for all sources, and the directions in which rooms may import each other.
import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** Room → rooms it must not import. What is not listed is allowed. */
const forbidden = {
  protocol: ['launcher', 'control-plane', 'components', 'examples', 'bench', 'test'],
  launcher: ['control-plane', 'components', 'examples', 'bench', 'test'],
  'control-plane': ['launcher', 'components', 'examples', 'bench', 'test'],
  components: ['launcher', 'control-plane', 'examples', 'bench', 'test'],
};

const zones = Object.entries(forbidden).flatMap(([target, rooms]) =>
  rooms.map((from) => ({
    target: `./${target}`,
    from: `./${from}`,
    message: `${target}/ must not import ${from}/ (see CONTRIBUTING.md, "The rooms")`,
  })),
);

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tools/', '.poolwright/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-default-export': 'error',
      'import-x/no-cycle': 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  {
    files: ['*.config.{js,ts}'],
    rules: { 'import-x/no-default-export': 'off' },
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
