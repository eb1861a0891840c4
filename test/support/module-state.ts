import ts from 'typescript'

/** Objects that are made with `new` and cannot change what a later caller sees. */
const HARMLESS: ReadonlySet<string> = new Set(['RegExp', 'TextEncoder', 'TextDecoder', 'URL', 'Error', 'DOMException'])
const READONLY_TYPE = /^(readonly |Readonly|const$)/

/**
 * Mutable state in the module scope of a source text, one line per finding.
 *
 * Found by shape: `let` and `var`, lists and `new` objects without a read-only type, whatever `create…` or `open…` made, plain
 * objects that some statement changes, and static members that are not `readonly`.
 */
export function moduleState(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.ES2023, true)
  const changed = changedNames(file)
  return file.statements
    .flatMap((statement) => {
      if (ts.isVariableStatement(statement)) return variables(statement.declarationList, changed)
      return ts.isClassDeclaration(statement) ? statics(statement) : []
    })
    .map((finding) => `${path}: ${finding}`)
}

function variables(list: ts.VariableDeclarationList, changed: ReadonlySet<string>): string[] {
  const isConst = (list.flags & ts.NodeFlags.Const) !== 0
  const keyword = (list.flags & ts.NodeFlags.Let) !== 0 ? 'let' : 'var'
  return list.declarations.flatMap((declaration) => {
    const name = declaration.name.getText()
    if (!isConst) return [`${keyword} ${name}`]
    if (changed.has(name)) return [`const ${name}: changed`]
    const shape = mutableShape(declaration)
    return shape === undefined ? [] : [`const ${name}: ${shape}`]
  })
}

function mutableShape({ type, initializer }: ts.VariableDeclaration): string | undefined {
  if (initializer === undefined || (type !== undefined && READONLY_TYPE.test(type.getText()))) return undefined
  if (ts.isAsExpression(initializer) && READONLY_TYPE.test(initializer.type.getText())) return undefined
  const value = unwrap(initializer)
  if (ts.isArrayLiteralExpression(value)) return 'array'
  if (ts.isNewExpression(value)) {
    const made = value.expression.getText()
    return HARMLESS.has(made) || isEmptyBytes(value) ? undefined : `new ${made}`
  }
  if (!ts.isCallExpression(value)) return undefined
  const called = value.expression.getText()
  return /^(create|open)[A-Z]/.test(called) && called !== 'createRequire' ? `${called}()` : undefined
}

/** Bytes of length 0 have nothing that could change. */
function isEmptyBytes({ expression, arguments: given }: ts.NewExpression): boolean {
  const length = given?.[0]?.getText() ?? '0'
  return expression.getText() === 'Uint8Array' && (length === '0' || length === '[]')
}

function unwrap(expression: ts.Expression): ts.Expression {
  if (ts.isAsExpression(expression) || ts.isSatisfiesExpression(expression) || ts.isParenthesizedExpression(expression)) {
    return unwrap(expression.expression)
  }
  return expression
}

function statics(declaration: ts.ClassDeclaration): string[] {
  return declaration.members
    .filter((member) => ts.isPropertyDeclaration(member))
    .filter(({ modifiers }) => has(modifiers, ts.SyntaxKind.StaticKeyword) && !has(modifiers, ts.SyntaxKind.ReadonlyKeyword))
    .map((member) => `class ${declaration.name?.text ?? ''}: static ${member.name.getText()}`)
}

function has(modifiers: readonly ts.ModifierLike[] | undefined, kind: ts.SyntaxKind): boolean {
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false
}

/** Names of top-level plain objects with a member that is assigned or deleted somewhere in the file. */
function changedNames(file: ts.SourceFile): ReadonlySet<string> {
  const objects = new Set<string>()
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (initializer !== undefined && ts.isObjectLiteralExpression(unwrap(initializer))) objects.add(name.getText())
    }
  }
  const changed = new Set<string>()
  function visit(node: ts.Node): void {
    const target = changedTarget(node)
    if (target !== undefined && objects.has(target)) changed.add(target)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return changed
}

function changedTarget(node: ts.Node): string | undefined {
  if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) return memberOwner(node.left)
  if (ts.isDeleteExpression(node)) return memberOwner(node.expression)
  if (ts.isPostfixUnaryExpression(node)) return memberOwner(node.operand)
  if (ts.isPrefixUnaryExpression(node) && isStep(node.operator)) return memberOwner(node.operand)
  return undefined
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

function isStep(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken
}

function memberOwner(expression: ts.Expression): string | undefined {
  if (!ts.isPropertyAccessExpression(expression) && !ts.isElementAccessExpression(expression)) return undefined
  const owner = expression.expression
  return ts.isIdentifier(owner) ? owner.text : memberOwner(owner)
}
