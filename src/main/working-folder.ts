/**
 * Imported before all else by every program: a working folder that was deleted has no name, and what asks for it fails.
 * Nothing of ours needs it; relative paths are of the root then, and are not found there.
 */
try {
  process.cwd()
} catch {
  process.chdir("/")
}
