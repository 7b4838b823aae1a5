/** The key of who uses the page, where they have shown one (`rbee keys add`): it goes with each call. */

let shown: string | undefined

export const keyShown = (): string | undefined => shown

export const showKey = (key: string | undefined): void => {
  shown = key
}
