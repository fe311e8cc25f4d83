import tseslint from 'typescript-eslint';

// DESIGN's rooms and the ones each may import. Arrows run one way:
// cli -> commands -> {wizard, ui} -> migration -> {esxi, convert, openstack} -> disk -> core.
const rooms = {
  core: [],
  disk: ['core'],
  esxi: ['disk', 'core'],
  convert: ['disk', 'core'],
  openstack: ['disk', 'core'],
  migration: ['esxi', 'convert', 'openstack', 'disk', 'core'],
  ui: ['core'],
  wizard: ['migration', 'esxi', 'convert', 'openstack', 'disk', 'core', 'ui'],
  commands: ['wizard', 'ui', 'migration', 'esxi', 'convert', 'openstack', 'disk', 'core'],
};
const all = Object.keys(rooms);

const arrows = Object.entries(rooms).map(([room, allowed]) => {
  const forbidden = all.filter((other) => other !== room && !allowed.includes(other));
  const message = `src/${room} may import only: ${[room, ...allowed].join(', ')} (see CONTRIBUTING.md).`;
  return {
    files: [`src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['**/cli.js', '../main.js', '../../main.js'], message: 'nothing imports the program itself.' },
            ...(forbidden.length === 0 ? [] : [{ group: forbidden.map((other) => `**/${other}/**`), message }]),
          ],
        },
      ],
    },
  };
});

// Logic takes what it needs as arguments; only the program, its commands and the terminal's room touch the process.
const quiet = {
  files: ['src/core/**', 'src/disk/**', 'src/esxi/**', 'src/convert/**', 'src/openstack/**', 'src/migration/**'],
  rules: {
    'no-console': 'error',
    'no-restricted-properties': [
      'error',
      ...['env', 'exit', 'stdout', 'stderr', 'stdin', 'argv'].map((property) => ({
        object: 'process',
        property,
        message: 'Take it as an argument: only src/main.ts, src/commands and src/ui touch the process.',
      })),
    ],
  },
};

export default tseslint.config(
  { ignores: ['dist/**', 'coverage/**', 'node_modules/**', '.node/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/prefer-nullish-coalescing': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['src/**/*.ts'], rules: { 'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }] } },
  ...arrows,
  quiet,
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  {
    // Parts of one script: what one declares another uses. Their types are checked by the tsconfig.json beside them.
    files: ['src/migration/report/page/*.js'],
    languageOptions: { sourceType: 'script' },
    rules: { '@typescript-eslint/no-unused-vars': ['error', { vars: 'local' }] },
  },
);
