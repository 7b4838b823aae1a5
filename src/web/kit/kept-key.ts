/** The key is kept in this browser until its owner signs out. What is shown is another's from then on: the page begins anew. */

const name = "rbee.key"

export const keptKey = (): string | undefined => localStorage.getItem(name) ?? undefined

export const signIn = (key: string): void => {
  localStorage.setItem(name, key.trim())
  location.reload()
}

export const signOut = (): void => {
  localStorage.removeItem(name)
  location.reload()
}
