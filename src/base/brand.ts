declare const brand: unique symbol

/** A `T` that only one parser can make, so that an unchecked value does not compile where a checked one is needed. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
