declare module 's3rver' {
  import type { RequestListener } from 'node:http'

  /** The part of this server that the tests use. */
  class S3rver {
    constructor(options: {
      readonly directory: string
      readonly silent: boolean
      readonly configureBuckets: readonly { readonly name: string }[]
    })
    configureBuckets(): Promise<unknown>
    callback(): RequestListener
  }

  export = S3rver
}
