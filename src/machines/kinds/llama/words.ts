/** What the last words of llama.cpp mean. */
import type { FailureWords } from "../../policy/blame.ts"

export const failures: FailureWords = {
  // llama.cpp's, its backends', the C++ library's and V8's spellings
  memory:
    /out of (\w+ )?memory|bad_alloc|failed to allocate|unable to allocate|alloc_tensor_range|cudaMalloc|ErrorOutOf\w*Memory|mmap failed|cannot allocate memory|process OOM/i,
  other: /CUDA error: (?!out of memory)\S/,
  isMuteWhenFull: true
}

export const saysMemory = (words: string): boolean => failures.memory.test(words)
