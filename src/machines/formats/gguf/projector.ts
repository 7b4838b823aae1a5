/** The header of a projector (mmproj): which lies beside a model, and makes what it can read of images. */
import { Cursor, headerBytesMax, Invalid, NeedMore } from "./cursor.ts"
import { readKeys } from "./keys.ts"

export type ProjectorResult =
  /** `width`: elements of what it makes, where it says so; undefined for those that see nothing (sound) */
  | { readonly _tag: "Projector"; readonly width: number | undefined }
  | { readonly _tag: "NeedMore"; readonly bytes: number }
  | { readonly _tag: "Other" }

/** `start`: as much of the file's beginning as was read. */
export const readProjector = (start: Uint8Array, fileBytes: number): ProjectorResult => {
  try {
    const cursor = new Cursor(start)
    if (fileBytes < 4 || cursor.u32() !== 0x46554747) return { _tag: "Other" }
    cursor.u32()
    cursor.count()
    const keys = readKeys(cursor, cursor.count())
    if (keys.architecture !== "clip") return { _tag: "Other" }
    const sees = keys.flag("clip.has_vision_encoder") === true
    return sees ? { _tag: "Projector", width: keys.count("clip.vision.projection_dim") } : { _tag: "Other" }
  } catch (error) {
    if (!(error instanceof NeedMore)) {
      if (error instanceof Invalid) return { _tag: "Other" }
      throw error
    }
    if (error.bytes > Math.min(fileBytes, headerBytesMax)) return { _tag: "Other" }
    return { _tag: "NeedMore", bytes: Math.min(fileBytes, Math.max(error.bytes, start.length * 4)) }
  }
}
