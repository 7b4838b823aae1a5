/** The time line below everything: live or at any moment of the trace. */
import { wordsOf } from "../../web/kit/call.ts"
import { save } from "../../web/kit/page/save.ts"
import { clock } from "../format.ts"
import { type Mark, readTrace } from "../recording.ts"
import type { Store } from "../store.ts"

const speeds = [0.1, 0.25, 1, 4, 16]

export const Replay = ({ store }: { readonly store: Store }) => {
  const { connection, isLive, playing, recording, speed } = store
  const count = recording.records.length
  const position = store.position ?? count
  const { marks } = recording
  const jump = (mark: Mark | undefined) => mark && store.show(mark.index + 1)
  return (
    <footer class="replay">
      {connection === "file" ? null : (
        <button class={`live ${isLive ? "on" : ""}`} aria-pressed={isLive} onClick={() => store.follow()}>
          ● live
        </button>
      )}
      <button
        aria-label={playing || isLive ? "pause" : "play"}
        onClick={() => (playing || isLive ? store.pause() : store.play())}
      >
        {playing || isLive ? "❚❚" : "▶"}
      </button>
      <button aria-label="one record back" onClick={() => store.show(position - 1)}>
        ◂
      </button>
      <button aria-label="one record on" onClick={() => store.show(position + 1)}>
        ▸
      </button>
      {marks.length === 0 ? null : (
        <>
          <button
            aria-label="what happened before"
            onClick={() => jump(marks.findLast(({ index }) => index + 1 < position))}
          >
            ⇤
          </button>
          <button aria-label="what happened next" onClick={() => jump(marks.find(({ index }) => index + 1 > position))}>
            ⇥
          </button>
        </>
      )}
      <select
        aria-label="speed"
        value={String(speed)}
        onChange={(event) => {
          store.speed = Number(event.currentTarget.value)
          store.changed()
        }}
      >
        {speeds.map((one) => (
          <option key={one} value={String(one)}>
            {one}×
          </option>
        ))}
      </select>
      <div class="scrub">
        <input
          type="range"
          aria-label="moment"
          min={0}
          max={count}
          value={position}
          onInput={(event) => {
            store.pause()
            store.seek(Number(event.currentTarget.value))
          }}
          onChange={() => store.go({ at: recording.timeOf(store.position ?? count) })}
        />
        {marks.slice(-200).map(({ index, kind, text }) => (
          <i
            key={`${index} ${kind}`}
            class={`mark ${kind}`}
            style={{ left: `${(index / Math.max(1, count)) * 100}%` }}
            title={text}
            onClick={() => store.show(index + 1)}
          />
        ))}
      </div>
      <time>{position === 0 ? "" : clock(recording.timeOf(position))}</time>
      <span class="count">
        {position}/{count}
      </span>
      <button onClick={() => save(fileName(), "application/x-ndjson", recording.toText())}>save</button>
      <label class="button">
        open
        <input
          type="file"
          accept=".jsonl,.json,.ndjson,.trace"
          onChange={(event) => void open(store, event.currentTarget)}
        />
      </label>
    </footer>
  )
}

const fileName = (): string => `rbee-${new Date().toISOString().replaceAll(/[:.]/g, "-")}.jsonl`

const open = async (store: Store, input: HTMLInputElement): Promise<void> => {
  const file = input.files?.[0]
  if (file === undefined) return
  try {
    store.open(readTrace(await file.text()))
    store.fail(undefined)
  } catch (error) {
    store.fail(`${file.name}: ${wordsOf(error)}`)
  }
  input.value = ""
}
