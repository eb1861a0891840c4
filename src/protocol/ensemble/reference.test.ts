// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of ensembles look like this
import { expect, test } from 'vitest'
import { renderEnsembleReference } from './reference.ts'

test('the reference page has a table for every part of the grammar', () => {
  const page = renderEnsembleReference()
  expect(page.match(/^## .+$/gm)).toHaveLength(28)
  expect(page).toContain('| `edge_constraints` | list of edge |  | how near nodes must be |')
  expect(page).toContain('| `image` | image | yes | the image to run |')
  expect(page).toContain('`${file:path}`')
})
