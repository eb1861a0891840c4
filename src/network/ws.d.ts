/** The part of the package that is used here; it carries no types of its own. */
declare module 'ws' {
  /** A client as browsers and Node 22 have it. */
  export const WebSocket: unknown
}
