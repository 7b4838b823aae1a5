/** Text with colours and styles, as its writer means it: whether they show is the stream's to say. */

export type Colour =
  | "yellow"
  | "magenta"
  | "cyan"
  | "green"
  | "red"
  | "dim"
  | "bold"
  | "italic"
  | "underline"
  | "strikethrough"

export interface Painted {
  readonly colour: Colour | ReadonlyArray<Colour>
  readonly text: string
}
export type Part = string | Painted
export const paint = (colour: Painted["colour"], text: string): Painted => ({ colour, text })
