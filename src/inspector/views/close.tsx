/** Closes what is shown of one thing. The keyboard goes back to where that was chosen. */
export const Close = ({ back, close }: { readonly close: () => void; readonly back: string }) => (
  <button
    class="close"
    aria-label="close"
    onClick={() => {
      close()
      document.querySelector<HTMLElement>(back)?.focus()
    }}
  >
    ✕
  </button>
)
