/* Tags of ASN.1 types in DER (ITU-T X.680, section 8.4). */

export const BOOLEAN = 0x01
export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const OBJECT_IDENTIFIER = 0x06
export const ENUMERATED = 0x0a
export const UTF8_STRING = 0x0c
export const UTC_TIME = 0x17
export const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30
export const SET = 0x31
/** The tag bit of constructed elements. */
export const CONSTRUCTED = 0x20
/** The explicit tag `[0]`. */
export const CONTEXT_0 = 0xa0
