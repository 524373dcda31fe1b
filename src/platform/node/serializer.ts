/**
 * V8's serialiser, which writes values as the structured clone algorithm does and hands over what it cannot write. Bun has a
 * `node:v8` without it.
 */
import v8 from "node:v8";

export type Serializers = Pick<typeof v8, "Serializer" | "Deserializer">;

/** Undefined where the runtime has none that can be extended. */
export const serializers: Serializers | undefined = isThere() ? v8 : undefined;

function isThere(): boolean {
  try {
    const serializer = new v8.Serializer();
    serializer.writeHeader();
    serializer.writeValue([1]);
    return "_setTreatArrayBufferViewsAsHostObjects" in serializer && serializer.releaseBuffer().length > 0;
  } catch {
    return false;
  }
}

/** Whether a view on a buffer that may change its length tracks that; undefined where the runtime does not tell. */
export function tracksLength(view: ArrayBufferView): boolean | undefined {
  if (serializers === undefined) return undefined;
  const prober = new serializers.Serializer() as InstanceType<Serializers["Serializer"]> & {
    _getSharedArrayBufferId(): number;
  };
  // Called by the serialiser for a shared buffer.
  prober._getSharedArrayBufferId = () => 0;
  prober.writeHeader();
  prober.writeValue(view);
  // A bit of the last byte that it writes of a view.
  return ((prober.releaseBuffer().at(-1) as number) & 1) !== 0;
}
