// A class whose file is loaded when it is first used, so that a program for one cloud needs that cloud's SDK only.

type Class = abstract new (...args: never[]) => object;

/** Behaves as the class that `load` gives: `new`, `extends`, `instanceof` and static members load it. */
export function lazyClass<Loaded extends Class>(load: () => Loaded): Loaded {
  let loaded: Loaded | undefined;
  const real = () => (loaded ??= load());
  const lazy: Loaded = new Proxy(constructible as unknown as Loaded, {
    construct: (_, args, newTarget) =>
      Reflect.construct(
        real() as unknown as new () => object,
        args,
        newTarget === lazy ? real() : newTarget,
      ) as object,
    get: (_, name) => Reflect.get(real(), name) as unknown,
    has: (_, name) => Reflect.has(real(), name),
    getPrototypeOf: () => Reflect.getPrototypeOf(real()),
  });
  return lazy;
}

/** Only says that `new` is possible: every trap answers for the real class. */
function constructible(): void {
  throw new Error('a class is used with new');
}
