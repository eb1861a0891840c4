import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorCodes } from './support/error-codes.ts'
import { moduleState } from './support/module-state.ts'
import { type Architecture, parseHeader, tableNames } from './support/tables.ts'

const architecture = createRequire(import.meta.url)('../architecture.cjs') as Architecture
const root = join(import.meta.dirname, '..')

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort()

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => `src/${path}`)
  .sort()

describe('the modules', () => {
  test('are exactly those of the table, and testing', () => {
    expect(folders).toEqual([...Object.keys(architecture.modules), 'testing'].sort())
  })

  test('import only modules that stand before them in the table', () => {
    const names = Object.keys(architecture.modules)
    for (const [name, imports] of Object.entries(architecture.modules)) {
      for (const imported of imports)
        expect(names.indexOf(imported), `${name} imports ${imported}`).toBeLessThan(names.indexOf(name))
    }
  })

  test.each(Object.entries(architecture.modules))('%s opens with a header that lists exactly its imports', (name, imports) => {
    const header = parseHeader(read(`src/${name}/index.ts`))
    expect(header?.name).toBe(name)
    expect(header?.sentence).toMatch(/^[^.].*\.$/s)
    expect(header?.imports).toEqual(imports)
    expect(header?.state).toMatch(/\S.*\.$/s)
  })
})

describe('docs/architecture.md', () => {
  test('has a row for every module and no other', () => {
    expect(tableNames(read('docs/architecture.md'), 'Modules').sort()).toEqual(folders)
  })

  test('has a row for every part of dms and no other', () => {
    expect(tableNames(read('docs/architecture.md'), 'Parts of dms').sort()).toEqual(Object.keys(architecture.dms).sort())
  })
})

describe('the dependencies', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>

  test('each have a row in docs/dependencies.md, and no other has', () => {
    const documented = tableNames(read('docs/dependencies.md')).sort()
    expect(documented).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort())
  })

  test.each(Object.keys(dependencies ?? {}))('%s has exactly one home', (name) => {
    const homes = Object.entries(architecture.packages).filter(([pattern]) => new RegExp(`^(${pattern})$`).test(name))
    expect(homes).toHaveLength(1)
  })

  test('are pinned exactly', () => {
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/.test(version)
    )
    expect(loose).toEqual([])
  })
})

describe('error codes', () => {
  const codes = sources.flatMap((path) => errorCodes(path, read(path)).map((code) => ({ path, code })))

  test('are found at all', () => {
    expect(codes.map(({ code }) => code)).toContain('BASE_TIMEOUT')
  })

  test('are unique', () => {
    const seen = new Map<string, string>()
    const repeated: string[] = []
    for (const { path, code } of codes) {
      const first = seen.get(code)
      if (first !== undefined) repeated.push(`${code} in ${first} and ${path}`)
      seen.set(code, path)
    }
    expect(repeated).toEqual([])
  })

  test('are upper case and begin with the name of their module or part', () => {
    const strays = codes.filter(({ path, code }) => {
      const [, module = '', part = ''] = path.split('/')
      const owners = part in architecture.dms && module === 'dms' ? [module, part] : [module]
      return !/^[A-Z0-9_]+$/.test(code) || !owners.some((owner) => code.startsWith(`${owner.toUpperCase()}_`))
    })
    expect(strays).toEqual([])
  })
})

describe('module scope', () => {
  test('holds no mutable state', () => {
    // The polyfill's only job is to complete a global.
    const found = sources.filter((path) => path !== 'src/polyfills.ts').flatMap((path) => moduleState(path, read(path)))
    expect(found).toEqual([])
  })

  test.each([
    ['let count = 0', 'let count'],
    ['export var count = 0', 'var count'],
    ['const cache = new Map<string, string>()', 'const cache: new Map'],
    ['const cache = new WeakMap<object, string>() as WeakMap<object, string>', 'const cache: new WeakMap'],
    ['const list = [1, 2]', 'const list: array'],
    ['const buffer = new Uint8Array(8)', 'const buffer: new Uint8Array'],
    ['const list: string[] = []', 'const list: array'],
    ['const queue = createSerialQueue()', 'const queue: createSerialQueue()'],
    ['const state = { count: 0 }\nfunction f() { state.count += 1 }', 'const state: changed'],
    ['const state: Record<string, string> = {}\nfunction f(k: string) { delete state[k] }', 'const state: changed'],
    ['class Pool { static size = 0 }', 'class Pool: static size']
  ])('would be seen in: %s', (source, finding) => {
    expect(moduleState('x.ts', source)).toEqual([`x.ts: ${finding}`])
  })

  test.each([
    ['const LIST = [1, 2] as const'],
    ['const LIST: readonly string[] = []'],
    ['const LIST = [1] satisfies readonly number[] as readonly number[]'],
    ['const LIST = Object.freeze([1, 2])'],
    ['const TABLE: ReadonlyMap<string, string> = new Map([["a", "b"]])'],
    ['const NAMES: ReadonlySet<string> = new Set(["a"])'],
    ['const CODES = { a: 1 }'],
    ['const PATTERN = new RegExp("a")'],
    ['const NOTHING = new Uint8Array(0)'],
    ['const require = createRequire(import.meta.url)'],
    ['function f() { const list = []; let n = 0; list.push(n); return list }'],
    ['class Pool { static readonly size = 0 }']
  ])('may hold: %s', (source) => {
    expect(moduleState('x.ts', source)).toEqual([])
  })
})

test.each(['bin/nunet', '.ci/run'])('%s is executable', (path) => {
  expect(statSync(join(root, path)).mode & 0o111).not.toBe(0)
})
