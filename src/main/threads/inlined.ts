import type { Piscina as PiscinaClass } from 'piscina'

/** Piscina, whose threads run the string that lies beside it. `npm run build` puts both here; nothing else does. */
export const Piscina: typeof PiscinaClass | null = null
