/** Foreign bytes are not what they should be. The only error a decoder throws. */
export class DecodeError extends Error {
  override readonly name: string = 'DecodeError';
}
