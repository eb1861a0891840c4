import type { Io } from './io.ts'
import { oneLine } from './output.ts'
import { cutTo, type Screen, type Style, styled, widthOf } from './screen.ts'

/** One column of a table. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Keeps its whole width on a narrow screen; for what people copy, such as ids. */
  readonly isWhole?: boolean
}

/** One cell: a text, or a text with a style. */
export type Cell = string | { readonly text: string; readonly style: Style }

const GAP = '  '
/** A cut column keeps at least this much. */
const LEAST = 8

/**
 * A table for people: a line of titles, then a line for each row, columns aligned.
 *
 * On a screen the titles are bold, and the widest columns are cut until a row fits; in a file or pipe nothing is cut. Control
 * characters of the cells are escaped: they may come from strangers.
 *
 * @returns Lines, each with its line break; nothing for a table without columns.
 */
export function renderColumns(columns: readonly Column[], rows: readonly (readonly Cell[])[], screen?: Screen): string {
  const table = [columns.map(({ title }): Cell => ({ text: title, style: 'bold' })), ...rows].map((row) =>
    columns.map((_, index) => cleanCell(row[index] ?? ''))
  )
  const natural = columns.map((_, index) => Math.max(...table.map((row) => widthOf(row[index]?.text ?? ''))))
  const widths = screen === undefined ? natural : fitTo(columns, natural, screen.columns)
  return table.map((row) => `${renderRow(columns, row, widths, screen)}\n`).join('')
}

/** Prints rows for people: on a screen as {@link renderColumns}, in a file or pipe without the titles, as scripts read them. */
export async function printRows(
  { stdout }: Pick<Io, 'stdout'>,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[]
): Promise<void> {
  if (rows.length === 0) return
  await stdout.write(stdout.screen === undefined ? withoutTitles(columns, rows) : renderColumns(columns, rows, stdout.screen))
}

/** Without the titles, a column need not be as wide as its title. */
function withoutTitles(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const untitled = columns.map((column) => ({ ...column, title: '' }))
  return renderColumns(untitled, rows).replace(/^.*\n/, '')
}

interface CleanCell {
  readonly text: string
  readonly style: Style | undefined
}

function cleanCell(cell: Cell): CleanCell {
  return typeof cell === 'string' ? { text: oneLine(cell), style: undefined } : { text: oneLine(cell.text), style: cell.style }
}

function renderRow(
  columns: readonly Column[],
  row: readonly CleanCell[],
  widths: readonly number[],
  screen: Screen | undefined
): string {
  const cells = row.map(({ text, style }, index) => {
    const width = widths[index] ?? 0
    const shown = cutTo(text, width)
    const padding = ' '.repeat(Math.max(0, width - widthOf(shown)))
    const visible = style === undefined ? shown : styled(shown, style, screen)
    if (columns[index]?.align === 'right') return padding + visible
    return index === columns.length - 1 ? visible : visible + padding
  })
  return cells.join(GAP)
}

/** Takes from the widest column that may be cut, until all fit or none may become narrower. */
function fitTo(columns: readonly Column[], natural: readonly number[], available: number): readonly number[] {
  const widths = [...natural]
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1) - available
    if (excess <= 0) return widths
    const candidates = widths.flatMap((width, index) =>
      columns[index]?.isWhole === true || width <= LEAST ? [] : [{ width, index }]
    )
    const [widest] = candidates.sort((a, b) => b.width - a.width)
    if (widest === undefined) return widths
    const next = Math.max(LEAST, candidates[1]?.width ?? LEAST)
    const least = Math.max(LEAST, widest.width - excess)
    widths[widest.index] = Math.max(least, Math.min(next, widest.width - 1))
  }
}
