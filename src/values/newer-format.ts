/** A newer version of heddle wrote a value, in a format that is not known here. */
export class NewerFormatError extends Error {
  override readonly name: string = "NewerFormatError";
}
