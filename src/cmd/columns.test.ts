import { expect, test } from 'vitest'
import { renderColumns } from './columns.ts'

const columns = [{ title: 'ID', isWhole: true }, { title: 'STATUS' }, { title: 'N', align: 'right' }] as const
const screen = { columns: 24, hasColors: false, canRedraw: true }

test('columns are aligned, and the last one has no blanks after it', () => {
  expect(
    renderColumns(columns.slice(0, 2), [
      ['a', 'Running'],
      ['long-id', 'x']
    ])
  ).toBe('ID       STATUS\na        Running\nlong-id  x\n')
})

test('numbers stand right', () => {
  expect(
    renderColumns(columns, [
      ['a', 'Running', '5'],
      ['b', 'Failed', '15']
    ])
  ).toBe('ID  STATUS    N\na   Running   5\nb   Failed   15\n')
})

test('a text of a stranger cannot drive the terminal or forge a row', () => {
  const printed = renderColumns(columns, [['a', 'x\u001b[2J\ny\u202e', '1']])
  expect(printed.split('\n')).toHaveLength(3)
  expect(printed).toContain('x\\u001b[2J y\\u202e')
})

test('a narrow screen cuts what is widest, but not what people copy', () => {
  const printed = renderColumns(columns, [['whole-id-1234', 'a very long status', '1']], screen)
  expect(printed.split('\n').every((line) => line.length <= 26)).toBe(true)
  expect(printed).toContain('whole-id-1234')
  expect(printed).toContain('a very …')
})

test('a pipe gets everything', () => {
  expect(renderColumns(columns, [['whole-id-1234', 'a very long status', '1']])).toContain('a very long status  1')
})

test('styles are codes only on a screen with colours, and do not disturb the alignment', () => {
  const rows = [[{ text: 'a', style: 'red' }, 'x', '1']] as const
  expect(renderColumns(columns, rows)).toBe('ID  STATUS  N\na   x       1\n')
  expect(renderColumns(columns, rows, { ...screen, hasColors: true })).toContain('\u001b[31ma\u001b[39m   x       1')
})
