/** The small files of a simulated machine: state files and logs. They outlive every process, and a crash. */
export class Files {
  private readonly texts = new Map<string, string>()

  read(file: string): string | undefined {
    return this.texts.get(file)
  }

  write(file: string, text: string): void {
    this.texts.set(file, text)
  }

  append(file: string, text: string): void {
    this.texts.set(file, (this.texts.get(file) ?? "") + text)
  }

  remove(file: string): void {
    this.texts.delete(file)
  }

  /** the names of the folders in a folder */
  folders(folder: string): ReadonlyArray<string> {
    const names = [...this.texts.keys()].flatMap((file) => {
      const [name, ...rest] = file.startsWith(`${folder}/`) ? file.slice(folder.length + 1).split("/") : []
      return name !== undefined && rest.length > 0 ? [name] : []
    })
    return [...new Set(names)].toSorted()
  }
}
