/** What every page begins with. */
export const Brand = () => (
  <h1>
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <path fill="#f5b82e" d="M16 1l13 7.5v15L16 31 3 23.500v-15z" />
    </svg>
    rbee
  </h1>
)
