/** What makes bytes of values, and values of bytes. */
export interface Serializer {
  /** @throws DataCloneError (a DOMException) and others, when a part cannot be cloned; TooLarge */
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}
