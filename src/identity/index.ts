/**
 * identity: who is speaking: keys, the DIDs and ids that name them, their signatures, and the files that keep them.
 *
 * Imports: base, db.
 * State: the key files of the directory a key store is given; a verifier remembers the keys it met last.
 */
export {
  actorIdOf,
  didOfActorId,
  encodeActorId,
  parseActorId,
  peerIdOf,
  publicKeyOfActorId,
  publicKeyOfPeerId
} from './actor-id.ts'
export { isHashedCose } from './cose.ts'
export { encodeEcdsaSignature } from './der.ts'
export { didMethod, parseDid } from './did.ts'
export { didOf, publicKeyOf } from './did-key.ts'
export {
  BadKeyFileError,
  BadKeyNameError,
  EmptyPassphraseError,
  KeyChangedError,
  KeyExistsError,
  KeyNotFoundError,
  SealBrokenError,
  UnsupportedKeyError,
  WrongPassphraseError
} from './errors.ts'
export type { ScryptCost } from './key-file.ts'
export { generateKeyPair, generateSecp256k1KeyPair, importKeyPair, importRawKeyPair, keyPairFromSeed } from './key-pair.ts'
export { createKeystore, type KeystoreOptions } from './keystore.ts'
export { isPrivateKeyHex, parsePrivateKey } from './private-key-text.ts'
export { parsePublicKey } from './public-key.ts'
export type {
  ActorId,
  Did,
  KeyFileReport,
  KeyPair,
  Keystore,
  KeyType,
  PublicKey,
  Signer,
  StoredKey
} from './types.ts'
export { createVerifier, type Verifier, verifySignature, verifyWithKey } from './verify.ts'
