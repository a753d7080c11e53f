import type { Piscina as PiscinaClass } from 'piscina'

/** Piscina, bundled with the code of its threads as a string. Only `npm run build` generates both here. */
export const Piscina: typeof PiscinaClass | null = null
