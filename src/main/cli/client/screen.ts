/** How a view that repeats is shown. The texts are for standard output. */
export interface Screen {
  readonly open: string
  readonly close: string
  page(text: string, intervalSeconds: number): string
}

const CSI = '\u001b['

/** The alternate screen of a terminal (xterm, mode 1049): the terminal shows its earlier content again afterwards. */
export const SCREEN: Screen = {
  open: `${CSI}?1049h${CSI}?25l`,
  close: `${CSI}?25h${CSI}?1049l`,
  page(text, intervalSeconds) {
    const time = new Date().toTimeString().slice(0, 8)
    return `${CSI}H${CSI}2J${time}, every ${intervalSeconds} s; Ctrl-C ends it\n\n${text}`
  },
}

/** One text after the other, for a file or another program. */
export const NO_SCREEN: Screen = { open: '', close: '', page: (text) => text }
