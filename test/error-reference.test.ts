import { describe, expect, test } from 'vitest'
import { errorClasses, renderErrorReference } from '../scripts/support/error-reference.ts'

describe('the reference page of errors', () => {
  test('cannot be printed while a class does not say what it means', () => {
    const source = "class LostError extends DmsError { readonly code = 'X_LOST'; readonly kind = 'internal' }"
    expect(() => errorClasses('x/errors.ts', source)).toThrow('src/x/errors.ts: LostError has no comment')
  })

  test('cannot be printed with a kind that does not exist', () => {
    const source = "/** It is lost. */ class LostError extends DmsError { readonly code = 'X_LOST'; readonly kind = 'odd' }"
    expect(() => errorClasses('x/errors.ts', source)).toThrow('the unknown kind odd')
  })

  test('leaves out abstract classes and what is no error', () => {
    const source = `
      /** All of x. */ export abstract class XError extends DmsError { abstract readonly code: string }
      /** A thing. */ export class Thing extends Base { readonly code = 'X_THING' }`
    expect(errorClasses('x/errors.ts', source)).toEqual([])
  })

  test('has a row for each error with what follows from its kind', () => {
    const source = `
      /**
       * The {@link Thing} is
       * lost | gone (B §8.1).
       *
       * More.
       */
      export class LostError extends XError { readonly code = 'X_LOST'; readonly kind: ErrorKind = 'not-found' }
      /** The other side failed. */
      export class RemoteError extends DmsError { readonly code: string; readonly kind: ErrorKind }`
    const page = renderErrorReference(errorClasses('x/y/errors.ts', source))
    expect(page).toContain('## x/y\n')
    expect(page).toContain('| `X_LOST` | not-found | 66 | 404 | The `Thing` is lost \\| gone. |')
    expect(page).toContain('| *(RemoteError)* | varies | – | – | The other side failed. |')
  })
})
