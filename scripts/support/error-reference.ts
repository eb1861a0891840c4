import ts from 'typescript'
import { type ErrorKind, EXIT_CODES, HTTP_STATUS } from '../../src/base/index.ts'

/** An error class of the source. */
export interface ErrorClass {
  /** Folder below `src`: `ucan`, or `dms/bidding` for a part. */
  readonly module: string
  readonly name: string
  /** Missing when the other side names it. */
  readonly code?: string
  /** Missing when each error of the class has its own. */
  readonly kind?: ErrorKind
  /** The comment above the class, on one line. */
  readonly meaning: string
}

/**
 * The concrete error classes in a source text: those with a `code` that extend something named `…Error`.
 *
 * @param path - Of the file below `src`.
 * @throws Error for a class without a comment, or of a kind that does not exist.
 */
export function errorClasses(path: string, source: string): readonly ErrorClass[] {
  const module = path.split('/').slice(0, -1).join('/')
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2023, true)
  return file.statements
    .filter(ts.isClassDeclaration)
    .filter(isError)
    .map((node) => {
      const name = node.name?.text ?? ''
      const meaning = meaningOf(node)
      if (meaning === '') throw new Error(`src/${path}: ${name} has no comment that says what it means`)
      const code = literalOf(node, 'code')
      const kind = literalOf(node, 'kind')
      if (kind !== undefined && !isKind(kind)) throw new Error(`src/${path}: ${name} is of the unknown kind ${kind}`)
      return { module, name, ...(code === undefined ? {} : { code }), ...(kind === undefined ? {} : { kind }), meaning }
    })
}

function isError(node: ts.ClassDeclaration): boolean {
  const isAbstract = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AbstractKeyword) ?? false
  const bases = node.heritageClauses?.flatMap(({ types }) => types.map(({ expression }) => expression.getText())) ?? []
  return !isAbstract && memberOf(node, 'code') !== undefined && bases.some((base) => base.endsWith('Error'))
}

function memberOf(node: ts.ClassDeclaration, name: string): ts.PropertyDeclaration | undefined {
  return node.members.filter(ts.isPropertyDeclaration).find((member) => member.name.getText() === name)
}

function literalOf(node: ts.ClassDeclaration, name: string): string | undefined {
  const value = memberOf(node, name)?.initializer
  return value !== undefined && ts.isStringLiteral(value) ? value.text : undefined
}

function isKind(text: string): text is ErrorKind {
  return Object.hasOwn(EXIT_CODES, text)
}

/** The first paragraph of the comment above a class, without references to the specification. */
function meaningOf(node: ts.ClassDeclaration): string {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? ''
  return (text.split(/\n\s*\n/)[0] ?? '')
    .replaceAll(/\{@link (\S+?)\}/g, '`$1`')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ \([A-E],? [^()]*\)/g, '')
    .trim()
}

/** The page `docs/reference/errors.md`: every error by module with its code, kind, exit code and HTTP status, as Markdown. */
export function renderErrorReference(errors: readonly ErrorClass[]): string {
  const modules = [...new Set(errors.map(({ module }) => module))].sort()
  const sections = modules.map((module) =>
    renderModule(
      module,
      errors.filter((error) => error.module === module)
    )
  )
  return `${[INTRODUCTION, renderKinds(), ...sections].join('\n\n')}\n`
}

const INTRODUCTION = `# Errors

Every error has a *code*, which is stable and begins with the name of its module, and one of ten *kinds*, from which everything else
follows. \`nunet\` prints \`Error: <message>\` as one line on stderr and ends with the exit code; REST answers with the status. Between
nodes, a caller who is known gets code, kind and message in a signed reply; a stranger gets silence.`

function renderKinds(): string {
  const rows = Object.entries(EXIT_CODES).map(
    ([kind, exit]) => `| ${kind} | ${exit} | ${isKind(kind) ? HTTP_STATUS[kind] : ''} |`
  )
  return ['| kind | exit code | HTTP |', '| --- | --- | --- |', ...rows].join('\n')
}

function renderModule(module: string, errors: readonly ErrorClass[]): string {
  return [
    `## ${module}`,
    '',
    '| code | kind | exit code | HTTP | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...errors.map(renderRow)
  ].join('\n')
}

function renderRow({ name, code, kind, meaning }: ErrorClass): string {
  const shown = code === undefined ? `*(${name})*` : `\`${code}\``
  const [exit, status] = kind === undefined ? ['–', '–'] : [EXIT_CODES[kind], HTTP_STATUS[kind]]
  return `| ${shown} | ${kind ?? 'varies'} | ${exit} | ${status} | ${meaning.replaceAll('|', '\\|')} |`
}
