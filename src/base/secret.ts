import { inspect } from 'node:util'

/** A text that prints as «secret» everywhere but through {@link Secret.reveal}. */
export interface Secret {
  reveal(): string
}

/** Wraps a secret text. */
export function createSecret(text: string): Secret {
  const secret = {
    reveal: () => text,
    toString: () => '«secret»',
    toJSON: () => '«secret»',
    [inspect.custom]: () => '«secret»'
  }
  return secret
}
