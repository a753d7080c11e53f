import { DefaultSerializer } from 'node:v8'

/** The bytes that are copied when a message is posted to a thread. Shared memory is not copied. */
export function copiedBytes(message: unknown): number {
  const serializer = new CopySerializer()
  serializer.writeHeader()
  serializer.writeValue(message)
  return serializer.releaseBuffer().length
}

class CopySerializer extends DefaultSerializer {
  /** Called for each view of a buffer. */
  _writeHostObject(view: NodeJS.ArrayBufferView): void {
    if (!(view.buffer instanceof SharedArrayBuffer)) this.writeRawBytes(view)
  }
}
