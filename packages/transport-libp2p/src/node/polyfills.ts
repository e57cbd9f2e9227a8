/** What libp2p expects of the platform and Node 20 does not have yet; Node 22 does. */
type Resolvers = {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
};

const promise = Promise as unknown as { withResolvers?: () => Resolvers };

promise.withResolvers ??= function withResolvers(): Resolvers {
  let resolve: (value: unknown) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const made = new Promise<unknown>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise: made, resolve, reject };
};
