/**
 * Gives an object its methods as properties of its own, bound to it: what is handed to an application
 * is taken apart (`const { get, put } = kv`) and passed around (`useSyncExternalStore`) there.
 */
export function bindMethods(object: object): void {
  const methods: PropertyDescriptorMap = {};
  for (
    let prototype = Object.getPrototypeOf(object) as object;
    prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object
  ) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const value: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      if (typeof value !== 'function' || name === 'constructor' || name in methods) continue;
      methods[name] = { value: value.bind(object) as unknown, writable: true, configurable: true };
    }
  }
  Object.defineProperties(object, methods);
}
