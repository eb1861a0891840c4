/**
 * What Node 20 lacks and libp2p needs: `Promise.withResolvers`. Goes away together with Node 20.
 *
 * Changes a global, which a library must not do; a program on an old runtime may, once, in one file. Import it first.
 */

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T | PromiseLike<T>) => void
  readonly reject: (reason?: unknown) => void
}

const runtime: { withResolvers?: <T>() => Deferred<T> } & PromiseConstructor = Promise

runtime.withResolvers ??= function withResolvers<T>(): Deferred<T> {
  let resolve: Deferred<T>['resolve'] = () => undefined
  let reject: Deferred<T>['reject'] = () => undefined
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
