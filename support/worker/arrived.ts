import { valueSymbol } from 'piscina'

/** The reply as it arrives on the main thread, from one that is wrapped for the transfer of its buffers. */
export function arrived<Reply extends object>(reply: Reply): Reply {
  return (reply as Reply & { [valueSymbol]?: Reply })[valueSymbol] ?? reply
}
