/** The line of output that is the answer: login scripts may have said something before. */
export const answerMark = "rbee-remote:"
