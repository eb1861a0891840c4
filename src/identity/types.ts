import type { AbortOptions, Brand, Secret } from '../base/index.ts'

/** A decentralized identifier in its text form, `did:<method>:<identifier>` (A §3.1). Only `parseDid` and `didOf` make one. */
export type Did = Brand<string, 'Did'>

/** The kinds of key that a DID can name (A §2.1). `eth` and `cardano` are wallet keys: they verify, but cannot be actors. */
export type KeyType = 'ed25519' | 'secp256k1' | 'eth' | 'cardano'

/** A public key: 32 bytes for `ed25519` and `cardano`, a 33-byte compressed point for `secp256k1` and `eth`. */
export interface PublicKey {
  readonly type: KeyType
  readonly bytes: Uint8Array
}

/** The libp2p protobuf bytes of an `ed25519` or `secp256k1` public key: the identity of an actor (A §2.3). */
export type ActorId = Brand<Uint8Array, 'ActorId'>

/** Something that signs in the name of a DID. */
export interface Signer {
  readonly did: Did
  sign(message: Uint8Array, options?: AbortOptions): Promise<Uint8Array>
}

/** A software key in memory. */
export interface KeyPair extends Signer {
  readonly publicKey: PublicKey
  /** The actor id of this key. */
  readonly actorId: ActorId
  /** The libp2p peer id text of this key (`12D3KooW…`). */
  readonly peerId: string
  /** The libp2p protobuf form of the private key (A §2.2); for the key store, the libp2p host and sealed records only. */
  exportPrivate(): Uint8Array
  /** Encrypts small data for this key alone (AES-256-GCM, key by HKDF from the private key); for secrets in the database. */
  seal(data: Uint8Array): Uint8Array
  /** Opens what {@link KeyPair.seal} made; throws `IDENTITY_SEAL_BROKEN` when it was made by another key or was changed. */
  unseal(sealed: Uint8Array): Uint8Array
}

/** The file of a key as it was read, still closed. */
export interface StoredKey {
  readonly name: string
  readonly path: string
  /** The encrypted text: what a backup holds. */
  readonly text: string
  /** Decrypts it. Errors: `IDENTITY_WRONG_PASSPHRASE`, `IDENTITY_BAD_KEY_FILE`, `IDENTITY_EMPTY_PASSPHRASE`. */
  open(passphrase: Secret): Promise<KeyPair>
}

/** What can be said about the file of a key without its passphrase. */
export interface KeyFileReport {
  readonly name: string
  readonly path: string
  /** Permission bits; missing when the file is not there or out of reach. */
  readonly mode?: number
  /** One sentence each; none when all is well. */
  readonly problems: readonly string[]
}

/** The private keys of this user, one encrypted file each (A §6). */
export interface Keystore {
  /** The names of all keys, sorted. */
  list(): Promise<readonly string[]>
  exists(name: string): Promise<boolean>
  /** Looks at the file of a key without opening it; never throws for what is wrong with the file. */
  inspect(name: string): Promise<KeyFileReport>
  /** Stores a key; refuses to replace an existing one unless `overwrite` (the old file is then kept as a backup). */
  save(name: string, key: KeyPair, passphrase: Secret, options?: { readonly overwrite?: boolean }): Promise<void>
  /**
   * Stores an encrypted key file that was made elsewhere, byte for byte, once its passphrase has opened it.
   * Errors as {@link StoredKey.open} and {@link Keystore.save}.
   */
  saveFile(name: string, text: string, passphrase: Secret, options?: { readonly overwrite?: boolean }): Promise<KeyPair>
  /** Decrypts such a file without storing it; the name is for messages. */
  openFile(name: string, text: string, passphrase: Secret): Promise<KeyPair>
  /** Reads the file of a key. Errors: `IDENTITY_KEY_NOT_FOUND`, `IDENTITY_BAD_KEY_FILE`. */
  read(name: string): Promise<StoredKey>
  /** Reads and decrypts a key. Errors: `IDENTITY_KEY_NOT_FOUND`, `IDENTITY_WRONG_PASSPHRASE`, `IDENTITY_BAD_KEY_FILE`. */
  open(name: string, passphrase: Secret): Promise<KeyPair>
  /**
   * Encrypts the file of a key anew. The new file has been opened with the new passphrase before it takes the place of the old
   * one, of which no copy is kept. Errors: as `open`, and `IDENTITY_KEY_CHANGED`.
   *
   * @param stored - The key as it was read, and is still.
   * @param askNew - Gives the new passphrase; called once the old one has opened the file.
   */
  changePassphrase(stored: StoredKey, old: Secret, askNew: () => Promise<Secret>): Promise<void>
  /** Removes the file of a key, which the passphrase must open (A §6.2). Errors: as {@link Keystore.changePassphrase}. */
  delete(stored: StoredKey, passphrase: Secret, options?: { readonly keepBackup?: boolean }): Promise<void>
  /** Copies of earlier files of this name, newest first; each opens with the passphrase that it had then. */
  backups(name: string): Promise<readonly string[]>
}
