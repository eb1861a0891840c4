import ts from 'typescript'

/** The codes of the error classes in a source text: `readonly code = 'UCAN_EXPIRED'`. */
export function errorCodes(path: string, source: string): string[] {
  const codes: string[] = []
  function visit(node: ts.Node): void {
    if (ts.isPropertyDeclaration(node) && node.name.getText() === 'code' && node.initializer !== undefined) {
      const value = ts.isAsExpression(node.initializer) ? node.initializer.expression : node.initializer
      if (ts.isStringLiteralLike(value)) codes.push(value.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.ES2023, true))
  return codes
}
