import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Only what needs types, plus the rules about time and chance; format and syntax are Biome's (biome.json). */
export default defineConfig(
  globalIgnores([
    'dist/',
    'bundle/',
    'builds/',
    '.cache/',
    'node_modules/',
    'coverage/',
    'test/vectors/',
    '**/*.js',
    '**/*.cjs',
    '**/*.mjs',
    'vitest.config.ts'
  ]),
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unsafe-argument': 'error',
      '@typescript-eslint/no-unsafe-assignment': 'error',
      '@typescript-eslint/no-unsafe-call': 'error',
      '@typescript-eslint/no-unsafe-member-access': 'error',
      '@typescript-eslint/no-unsafe-return': 'error',
      '@typescript-eslint/no-unsafe-enum-comparison': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/consistent-type-assertions': [
        'error',
        { assertionStyle: 'as', objectLiteralTypeAssertions: 'allow-as-parameter' }
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-plus-operands': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {
          allowNumber: true,
          allowBoolean: true,
          allow: [
            {
              from: 'package',
              name: ['PeerId', 'Ed25519PeerId', 'RSAPeerId', 'Secp256k1PeerId', 'URLPeerId'],
              package: '@libp2p/interface'
            },
            { from: 'package', name: 'Multiaddr', package: '@multiformats/multiaddr' }
          ]
        }
      ],
      '@typescript-eslint/no-base-to-string': 'error',
      '@typescript-eslint/no-for-in-array': 'error',
      complexity: ['warn', 15],
      'max-lines': ['warn', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['warn', { max: 60, skipBlankLines: true, skipComments: true }]
    }
  },
  {
    // Domain code takes time from Clock and chance from Random, so that a test or the simulator can repeat it.
    files: ['src/{ucan,identity,actor,protocol,dms,client}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'take the time from Clock' },
        { object: 'Math', property: 'random', message: 'take randomness from Random' },
        { object: 'performance', property: 'now', message: 'take the time from Clock' }
      ],
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: 'wait with Clock.sleep' },
        { name: 'setInterval', message: 'wait with Clock.sleep' }
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'take the time from Clock' }
      ]
    }
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'src/testing/compliance/**/*.ts'],
    rules: {
      complexity: 'off',
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/consistent-type-assertions': 'off'
    }
  },
  { files: ['**/*.test.ts', 'src/testing/compliance/**/*.ts'], rules: { '@typescript-eslint/no-unnecessary-condition': 'off' } }
)
