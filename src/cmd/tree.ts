import { oneLine } from './output.ts'

/** One thing that is said, and what is said below it. */
export interface Branch {
  readonly text: string
  readonly children?: readonly Branch[]
}

/** The lines of a tree; the first is its root. Texts may come from strangers: each stays in its line. */
export function renderTree({ text, children = [] }: Branch): readonly string[] {
  return [oneLine(text), ...children.flatMap((child, index) => indent(renderTree(child), index === children.length - 1))]
}

function indent(lines: readonly string[], isLast: boolean): readonly string[] {
  return lines.map((line, index) => `${index === 0 ? (isLast ? '└─ ' : '├─ ') : isLast ? '   ' : '│  '}${line}`)
}
